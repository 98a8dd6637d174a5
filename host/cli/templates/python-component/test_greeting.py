import unittest

from greeting import greeting


class Greeting(unittest.TestCase):
    def test_greets_by_name(self):
        self.assertEqual(greeting("World"), "Hello, World!")


if __name__ == "__main__":
    unittest.main()
