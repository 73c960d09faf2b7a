// What the peer `k6` runs: one WebSocket per virtual user; the framing of Engine.IO and Socket.IO is written by hand.
import { WebSocket } from "k6/experimental/websockets";
import { Trend } from "k6/metrics";
import { setTimeout } from "k6/timers";

const roundTrip = new Trend("round_trip", true);
// A connection sends no earlier than so many milliseconds after it sent last.
const periodMs = Number(__ENV.PERIOD_US ?? 0) / 1000;

export const options = {
  scenarios: {
    echo: { executor: "per-vu-iterations", vus: Number(__ENV.CONNECTIONS), iterations: 1, maxDuration: "24h" },
  },
  summaryTrendStats: ["med", "p(99)", "count"],
};

export default function () {
  const socket = new WebSocket(`${__ENV.URL}/socket.io/?EIO=4&transport=websocket`);
  let emission = 0;
  let token = "";
  let sent = 0;
  const foo = () => {
    token = `rt-k6-${__VU}-${emission++}`;
    sent = Date.now();
    socket.send(`42["FOO",{"name":"${token}","to":"sender"}]`);
  };
  socket.onmessage = ({ data }) => {
    if (data.startsWith("42")) {
      const [event, reply] = JSON.parse(data.slice(2));
      if (event !== "BAR" || reply.foo !== token) throw new Error(`sent ${token}, received ${data}`);
      const received = Date.now();
      roundTrip.add(received - sent);
      const early = sent + periodMs - received;
      if (early > 0) setTimeout(foo, early);
      else foo();
    } else if (data === "2") {
      socket.send("3");
    } else if (data.startsWith("40")) {
      foo();
    } else if (data[0] === "0") {
      socket.send("40");
    }
  };
}
