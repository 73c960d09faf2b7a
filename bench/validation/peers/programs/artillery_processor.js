// Ends the loop of artillery.yml when the file appears that the environment names. Looked for now and then, not per turn.
const fs = require("node:fs");

let running = true;
setInterval(() => {
  running = running && !fs.existsSync(process.env.STOP_FILE);
}, 100).unref();

module.exports = { isRunning: (context, next) => next(running) };
