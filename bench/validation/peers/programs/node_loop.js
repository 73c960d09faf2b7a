// What the peer `node` runs: the official client, one socket per connection.
//
//     node node_loop.js URL CONNECTIONS
//
// Until SIGTERM; then one line of JSON. Token by token: a reply that carries another token than was sent is an error.
// If RECORDS names a file, it gets a line for each round trip: token, sent and received, in ns of CLOCK_MONOTONIC.
// With PERIOD_US, a connection sends no earlier than so many microseconds after it sent last.
const { writeFileSync } = require("node:fs");
const { io } = require("socket.io-client");

const [url, connections] = [process.argv[2], Number(process.argv[3])];
const timesUs = [];
const periodMs = Number(process.env.PERIOD_US ?? 0) / 1000;
const records = process.env.RECORDS ? [] : null;
const beganNs = Number(process.hrtime.bigint()) - performance.now() * 1e6;
const ns = (ms) => Math.round(beganNs + ms * 1e6);

for (let number = 0; number < connections; number += 1) {
  const socket = io(url, { transports: ["websocket"], forceNew: true, reconnection: false });
  let emission = 0;
  let token = "";
  let sent = 0;
  const foo = () => {
    token = `rt-nd-${number}-${emission++}`;
    sent = performance.now();
    socket.emit("FOO", { name: token, to: "sender" });
  };
  socket.on("connect", foo);
  socket.on("BAR", (reply) => {
    if (reply.foo !== token) throw new Error(`sent ${token}, received ${reply.foo}`);
    const received = performance.now();
    timesUs.push((received - sent) * 1000);
    records?.push(`${token} ${ns(sent)} ${ns(received)}\n`);
    const early = sent + periodMs - received;
    if (early > 0) setTimeout(foo, early);
    else foo();
  });
  socket.on("connect_error", (error) => {
    throw error;
  });
}

process.on("SIGTERM", () => {
  if (records) writeFileSync(process.env.RECORDS, records.join(""));
  timesUs.sort((one, other) => one - other);
  const at = (share) => timesUs[Math.floor(timesUs.length * share)] ?? null;
  const report = { round_trips: timesUs.length, p50_us: at(0.5), p99_us: at(0.99) };
  process.stdout.write(`\n${JSON.stringify(report)}\n`, () => process.exit(0));
});
