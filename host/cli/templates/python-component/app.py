"""The component. Every function that its world (wit/world.wit) exports is a task.

Import modules at the top: what is not imported when the component is built, is missing when it runs.
"""

import wit_world
from greeting import greeting


class WitWorld(wit_world.WitWorld):
    def hello(self, name: str) -> str:
        return greeting(name)
