// An official Socket.IO server behind TLS, on https://localhost:8443 or the port that is its argument.
//
// add {id, item}    added {id, item, pieces} to the sender
// checkout          acknowledged with {number}
// GET /counts       the number of each since the server started
const { execFileSync } = require("node:child_process");
const { existsSync, readFileSync } = require("node:fs");
const https = require("node:https");
const { join } = require("node:path");
const { Server } = require("socket.io");

const FOLDER = join(__dirname, "certificates");
const PORT = Number(process.argv[2] ?? 8443);

// Made at the first start. Clients trust ca.pem, which has signed the server's certificate.
if (!existsSync(join(FOLDER, "server.pem"))) execFileSync("sh", [join(__dirname, "make-certificates.sh"), FOLDER]);

const counts = { added: 0, checkouts: 0 };
const server = https.createServer(
  { key: readFileSync(join(FOLDER, "server.key")), cert: readFileSync(join(FOLDER, "server.pem")) },
  (request, response) => {
    if (request.url === "/counts") response.end(JSON.stringify(counts));
    else response.writeHead(404).end();
  },
);
const io = new Server(server, { serveClient: false });

io.on("connection", (socket) => {
  let pieces = 0;
  socket.on("add", ({ id, item }) => {
    counts.added += 1;
    pieces += 1;
    socket.emit("added", { id, item, pieces });
  });
  socket.on("checkout", (acknowledge) => {
    counts.checkouts += 1;
    pieces = 0;
    acknowledge({ number: counts.checkouts });
  });
});

server.listen(PORT, "127.0.0.1", () => console.log(`https://localhost:${server.address().port}`));
