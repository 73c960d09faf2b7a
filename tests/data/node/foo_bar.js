// The FOO→BAR service on the official Socket.IO server: the same contract as app/, written by others' means.
// Prints its port as one line of JSON; GET /health tells how many FOOs it has answered.
const http = require("node:http");
const { Server } = require("socket.io");

let answered = 0;
const server = http.createServer((request, response) => {
  if (request.url === "/health") response.end(JSON.stringify({ answered, clients: io.engine.clientsCount }));
});
const io = new Server(server, { serveClient: false });

io.on("connection", (socket) => {
  socket.on("FOO", ({ name, to }, acknowledge) => {
    answered += 1;
    (to === "sender" ? socket : io).emit("BAR", { foo: name });
    if (acknowledge) acknowledge({ foo: name });
  });
});

server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log(JSON.stringify(server.address())));
process.stdin.resume().on("end", () => process.exit(0)); // ends with whoever started it
