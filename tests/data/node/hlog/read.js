// Reads the interval log named by its argument with HdrHistogram's JavaScript port, and prints as JSON what is in it:
// its intervals, and for each tag the count and the percentiles of all of them added up.
const { readFileSync } = require("node:fs");
const { HistogramLogReader, build } = require("hdr-histogram-js");

const PERCENTS = ["50", "90", "99", "99.9", "100"];
const reader = new HistogramLogReader(readFileSync(process.argv[2], "utf8"));
const intervals = [];
const sums = {};
for (let histogram; (histogram = reader.nextIntervalHistogram()) !== null; ) {
  const { tag, startTimeStampMsec: start, endTimeStampMsec: end, totalCount: count } = histogram;
  intervals.push({ tag, start_ms: Math.round(start), end_ms: Math.round(end), count });
  sums[tag] ??= build({ lowestDiscernibleValue: 100, highestTrackableValue: 3.6e12, numberOfSignificantValueDigits: 3 });
  sums[tag].add(histogram);
}
const totals = Object.entries(sums).map(([tag, sum]) => [
  tag,
  { count: sum.totalCount, percentiles_ns: Object.fromEntries(PERCENTS.map((p) => [p, sum.getValueAtPercentile(+p)])) },
]);
console.log(JSON.stringify({ intervals, totals: Object.fromEntries(totals) }));
