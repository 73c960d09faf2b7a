// Ends the loop of artillery.yml when the file appears that the environment names. Looked for now and then, not per turn.
// With PERIOD_US, a turn begins no earlier than so many microseconds after the turn before it.
const fs = require("node:fs");

let running = true;
setInterval(() => {
  running = running && !fs.existsSync(process.env.STOP_FILE);
}, 100).unref();

const periodMs = Number(process.env.PERIOD_US ?? 0) / 1000;

function isRunning(context, next) {
  const now = performance.now();
  const early = periodMs ? (context.vars.beganMs ?? -periodMs) + periodMs - now : 0;
  context.vars.beganMs = Math.max(now, now + early);
  if (early > 0) setTimeout(() => next(running), early);
  else next(running);
}

module.exports = { isRunning };
