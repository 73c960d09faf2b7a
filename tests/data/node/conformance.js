// The official server for the conformance tests; tests/data/apps/conformance.py says what it does.
// Prints its port and process id as one line of JSON.
const http = require("node:http");
const { Server } = require("socket.io");

const server = http.createServer();
const recovery = process.argv[2] === "recovers" ? { connectionStateRecovery: {} } : {};
const settings = { serveClient: false, pingInterval: 300, pingTimeout: 1500, maxHttpBufferSize: 4e6 };
const io = new Server(server, { ...settings, ...recovery });
const left = new Set();

function refusal(message, data) {
  return Object.assign(new Error(message), { data });
}

function serve(namespace) {
  io.of(namespace).use((socket, next) => {
    next(socket.handshake.auth.token === "wrong" ? refusal("no such token", { asked: "wrong" }) : undefined);
  });
  io.of(namespace).on("connection", (socket) => {
    const { auth, headers, url } = socket.handshake;
    socket.on("disconnect", () => left.add(auth.name));
    socket.on("ECHO", (...values) => {
      const acknowledge = typeof values.at(-1) === "function" ? values.pop() : () => {};
      socket.emit("ECHO", ...values);
      acknowledge(...values);
    });
    socket.on("ASK", (...values) => {
      socket.emit("QUESTION", ...values, (...answer) => socket.emit("ANSWER", ...answer));
    });
    socket.on("KICK", () => socket.disconnect());
    socket.on("WHO", (acknowledge) => {
      const query = url.split("?")[1];
      const transport = socket.conn.transport.name;
      acknowledge({ auth, cookie: headers.cookie, header: headers["x-test"], query, transport });
    });
    socket.on("LEFT", (name, acknowledge) => acknowledge(left.has(name)));
  });
}

serve("/");
serve("/admin");
io.of("/private").use((socket, next) => next(refusal("not yours", { code: 7 })));

server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port, pid: process.pid }));
});
process.stdin.resume().on("end", () => process.exit(0)); // ends with whoever started it
