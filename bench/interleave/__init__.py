"""The parts that measure several servers in alternation, which `pytest bench` and `bench ab` share."""
