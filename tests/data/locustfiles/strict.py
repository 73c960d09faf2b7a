"""A user that says nothing of how it connects."""

from bench import RoundTrip, SocketIOUser, task

SAY = RoundTrip("say", emit="say", data={"id": "{token}", "bytes": b"\0\xff"}, reply="said")


class PlainUser(SocketIOUser):
    @task
    async def say(self) -> None:
        await self.round_trip(SAY)
        await self.wait()

    def wait_time(self) -> float:
        return 0.01
