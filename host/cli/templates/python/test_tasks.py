import unittest

import tasks


class Hello(unittest.TestCase):
    def test_greets_by_name(self):
        self.assertEqual(tasks.hello("World"), "Hello, World!")


if __name__ == "__main__":
    unittest.main()
