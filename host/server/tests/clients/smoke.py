"""Uploads a component, runs a function of it, waits, and reads the result, with a client that was generated from the document."""

import hashlib
import io
import os
import pathlib

from hostel_client import AuthenticatedClient
from hostel_client.api.batches import get_batch, post_batch
from hostel_client.api.components import put_component
from hostel_client.api.runs import get_counts, get_result, list_runs, post_run
from hostel_client.models import BatchRequest, RunRequest
from hostel_client.types import File

component = pathlib.Path(os.environ["HOSTEL_COMPONENT"]).read_bytes()
digest = "sha256:" + hashlib.sha256(component).hexdigest()
client = AuthenticatedClient(
    base_url=os.environ["HOSTEL_ADDRESS"], token=os.environ["HOSTEL_TOKEN"], raise_on_unexpected_status=True, timeout=90
)

with client as client:
    body = File(payload=io.BytesIO(component), mime_type="application/wasm")
    pushed = put_component.sync_detailed(component=digest, client=client, body=body)
    assert pushed.status_code in (200, 201), pushed

    run = post_run.sync(client=client, body=RunRequest.from_dict({"task": f"{digest}#add", "args": {"a": 40, "b": 2}}), wait="60s")
    assert run.state == "Completed", run
    result = get_result.sync(run=run.run, client=client)
    assert result.value == 42, result
    assert any(item.run == run.run for item in list_runs.sync(client=client, state="completed").items)
    assert get_counts.sync(client=client).total >= 1

    problem = post_run.sync(client=client, body=RunRequest.from_dict({"task": f"{digest}#add", "args": {"a": "x", "b": 2}}))
    assert problem.status == 422 and problem.errors[0].path == ["a"], problem

    batch = post_batch.sync(client=client, body=BatchRequest(action="seen", filter_="state:attention"))
    assert get_batch.sync(batch=batch.batch, client=client).action == "seen"

print("uploaded, ran, waited and read 42")
