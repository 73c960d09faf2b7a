// What the peer `node` runs: the official client, one socket per connection.
//
//     node node_loop.js URL CONNECTIONS
//
// Until SIGTERM; then one line of JSON. Token by token: a reply that carries another token than was sent is an error.
const { io } = require("socket.io-client");

const [url, connections] = [process.argv[2], Number(process.argv[3])];
const timesUs = [];

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
    timesUs.push((performance.now() - sent) * 1000);
    foo();
  });
  socket.on("connect_error", (error) => {
    throw error;
  });
}

process.on("SIGTERM", () => {
  timesUs.sort((one, other) => one - other);
  const at = (share) => timesUs[Math.floor(timesUs.length * share)] ?? null;
  const report = { round_trips: timesUs.length, p50_us: at(0.5), p99_us: at(0.99) };
  process.stdout.write(`\n${JSON.stringify(report)}\n`, () => process.exit(0));
});
