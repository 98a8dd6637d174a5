"""Tasks in plain Python. Try: hostel run tasks.py#add 40 2"""

import time


def explain_tasks():
    print("run any code here!")
    print("but maybe just a little bit")


def stop_at_floor(floor: float):
    """Sleeps as many seconds as there are floors; `hostel map` lets all elevators move at once."""
    print(f"elevator moving to floor {floor}")
    time.sleep(floor)
    print(f"elevator stops on floor {floor}")


def cool_task():
    return "sup"


def sum_plus(x, items):
    return x + sum(items)


def process_data(item: int) -> str:
    if item < 0:
        raise ValueError(f"Cannot process negative value: {item}")
    return f"Processed {item}"


def train_model(dataset: dict, model_config: dict) -> dict:
    """A score that depends on both, so that there is a best model."""
    score = (len(dataset["name"]) * len(model_config["name"])) % 97
    return {"dataset": dataset["name"], "model": model_config["name"], "score": score}


def add(a: int, b: int) -> int:
    print(f"{a} + {b} = {a + b}")
    return a + b


def multiply(a: int, b: int) -> int:
    print(f"{a} * {b} = {a * b}")
    return a * b


def add_one(x: int) -> int:
    return x + 1


def my_stateful_task(x: float) -> float:
    print("sleeping")
    time.sleep(0.01)
    return x + 1


def my_cached_task(x: int) -> int:
    return x + 42


def power(base: int, exponent: int) -> int:
    return base**exponent
