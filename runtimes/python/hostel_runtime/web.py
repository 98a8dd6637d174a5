"""What `urllib` sends goes through the host, which knows HTTPS and checks the grants. Sockets are for everything else."""

import errno
import http.client
import io
import socket
import urllib.error
import urllib.request
import urllib.response

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler
from wit_world.imports import types as wasi

# The host takes this much at once, and gives this much.
_PART = 4096
_READ = 64 * 1024

_METHODS = {
    "GET": wasi.Method_Get,
    "HEAD": wasi.Method_Head,
    "POST": wasi.Method_Post,
    "PUT": wasi.Method_Put,
    "DELETE": wasi.Method_Delete,
    "OPTIONS": wasi.Method_Options,
    "PATCH": wasi.Method_Patch,
}

# The host sets them, or has no use for them.
_NOT_SENT = {"connection", "host", "transfer-encoding", "keep-alive", "proxy-connection", "upgrade", "te"}


class _Body(io.RawIOBase):
    """The body of a response, read as it comes."""

    def __init__(self, response, stream):
        self._response = response  # lives as long as its stream
        self._stream = stream

    def readable(self):
        return True

    def readinto(self, buffer):
        if self._stream is None:
            return 0
        try:
            # An empty part is not the end.
            while not (part := self._stream.blocking_read(min(len(buffer), _READ))):
                pass
        except Err as error:
            self._end()
            if type(error.value).__name__ == "StreamError_Closed":
                return 0
            raise ConnectionResetError(errno.ECONNRESET, "the response ended early") from None
        buffer[: len(part)] = part
        return len(part)

    def close(self):
        self._end()
        super().close()

    def _end(self):
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.__exit__(None, None, None)


def _open(scheme, request):
    """The response to a request of `urllib`."""
    host = request.host
    if not host:
        raise urllib.error.URLError("no host given")
    try:
        response = _sent(scheme, host, request)
    except Err as error:
        raise urllib.error.URLError(_reason(error.value, host)) from None
    code = response.status()
    headers = _headers(response)
    body = response.consume()
    answer = urllib.response.addinfourl(io.BufferedReader(_Body((response, body), body.stream())), headers, request.full_url, code)
    answer.msg = answer.reason = http.client.responses.get(code, "")
    answer.version = 11
    return answer


def _sent(scheme, host, request):
    outgoing = wasi.OutgoingRequest(_fields(request))
    method = request.get_method()
    outgoing.set_method(_METHODS[method]() if method in _METHODS else wasi.Method_Other(method))
    outgoing.set_scheme(scheme())
    outgoing.set_authority(host)
    outgoing.set_path_with_query(request.selector or "/")
    body = outgoing.body()
    future = outgoing_handler.handle(outgoing, _options(request.timeout))
    try:
        with body.write() as stream:
            for part in _parts(request.data):
                for at in range(0, len(part), _PART):
                    stream.blocking_write_and_flush(bytes(part[at : at + _PART]))
        wasi.OutgoingBody.finish(body, None)
    except Err:
        pass  # the response says why
    with future.subscribe() as ready:
        ready.block()
    # It is ready, and nobody has taken it.
    match future.get():
        case Ok(Ok(response)):
            return response
        case Ok(Err() as error):
            raise error
        case other:
            raise urllib.error.URLError(f"no response: {other}")


def _fields(request):
    headers = {name.lower(): value for name, value in {**request.unredirected_hdrs, **request.headers}.items()}
    headers.setdefault("user-agent", f"Python-urllib/{urllib.request.__version__}")
    headers.setdefault("accept-encoding", "identity")
    sent = [(name, str(value).encode("latin-1", "replace")) for name, value in headers.items() if name not in _NOT_SENT]
    try:
        return wasi.Fields.from_list(sent)
    except Err as error:
        raise ValueError(f"a header is not valid: {[name for name, _ in sent]}") from error


def _options(timeout):
    options = wasi.RequestOptions()
    seconds = socket.getdefaulttimeout() if timeout is socket._GLOBAL_DEFAULT_TIMEOUT else timeout
    if seconds is not None:
        nanoseconds = max(int(seconds * 1_000_000_000), 1)
        for set_timeout in (options.set_connect_timeout, options.set_first_byte_timeout, options.set_between_bytes_timeout):
            set_timeout(nanoseconds)
    return options


def _parts(data):
    if data is None:
        return
    if isinstance(data, (bytes, bytearray, memoryview)):
        yield memoryview(data).cast("B")
    elif hasattr(data, "read"):
        while part := data.read(_READ):
            yield part.encode("iso-8859-1") if isinstance(part, str) else part
    else:
        yield from data


def _headers(response):
    message = http.client.HTTPMessage()
    with response.headers() as fields:
        for name, value in fields.entries():
            message.add_header(name, value.decode("latin-1"))
    return message


def _reason(code, host):
    """What Python people expect to see."""
    name = type(code).__name__.removeprefix("ErrorCode_")
    match name:
        case "HttpRequestDenied" | "DestinationIpProhibited":
            return PermissionError(errno.EACCES, f"HTTP requests to {host} are not granted (--http {host} grants them)")
        case "DnsTimeout" | "DnsError" | "DestinationNotFound":
            return socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        case "ConnectionRefused":
            return ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        case "ConnectionTerminated" | "HttpResponseIncomplete":
            return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        case "ConnectionTimeout" | "ConnectionReadTimeout" | "ConnectionWriteTimeout" | "HttpResponseTimeout":
            return TimeoutError("timed out")
        case "DestinationUnavailable" | "DestinationIpUnroutable":
            return OSError(errno.ENETUNREACH, "Network is unreachable")
        case "TlsProtocolError" | "TlsCertificateError" | "TlsAlertReceived":
            return OSError(f"TLS failed: {name}")
        case _:
            payload = getattr(code, "value", None)
            return OSError(f"{name}: {payload}" if payload else name)


def install():
    """Makes `urllib` use it. Its classes stay, so that openers made of them work."""
    handler = urllib.request.HTTPHandler
    handler.http_open = lambda self, request: _open(wasi.Scheme_Http, request)
    handler.https_open = lambda self, request: _open(wasi.Scheme_Https, request)
    handler.https_request = urllib.request.AbstractHTTPHandler.do_request_
    # As it is called where `ssl` exists.
    urllib.request.HTTPSHandler = handler
