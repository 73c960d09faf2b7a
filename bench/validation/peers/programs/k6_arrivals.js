// What `bench accuracy` has k6 do: a constant arrival rate. An iteration cannot take over another one's socket, so each
// connects, emits, and waits for its reply; what is timed is what k6's users time, from the emission to the reply.
import { WebSocket } from "k6/experimental/websockets";
import { Counter, Trend } from "k6/metrics";
import { clearTimeout, setTimeout } from "k6/timers";

const roundTrip = new Trend("round_trip", true);
const timeouts = new Counter("timeouts");

export const options = {
  scenarios: {
    echo: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE),
      timeUnit: "1s",
      duration: __ENV.DURATION,
      preAllocatedVUs: 100,
      maxVUs: 2000,
    },
  },
  summaryTrendStats: ["p(50)", "p(90)", "p(95)", "p(99)", "p(99.5)", "max", "count"],
};

export default function () {
  const socket = new WebSocket(`${__ENV.URL}/socket.io/?EIO=4&transport=websocket`);
  const token = `rt-k6-${__VU}-${__ITER}`;
  let sent = 0;
  let timer = null;
  socket.onmessage = ({ data }) => {
    if (data.startsWith("42")) {
      const [event, reply] = JSON.parse(data.slice(2));
      if (event !== "BAR" || reply.foo !== token) throw new Error(`sent ${token}, received ${data}`);
      roundTrip.add(Date.now() - sent);
      clearTimeout(timer);
      socket.close();
    } else if (data === "2") {
      socket.send("3");
    } else if (data.startsWith("40")) {
      timer = setTimeout(() => {
        timeouts.add(1);
        socket.close();
      }, Number(__ENV.TIMEOUT_MS));
      sent = Date.now();
      socket.send(`42["FOO",{"name":"${token}","to":"sender"}]`);
    } else if (data[0] === "0") {
      socket.send("40");
    }
  };
}
