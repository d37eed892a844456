// Loaded into a server that is weighed: on SIGUSR2 it prints how long its event loop let things wait, and starts anew.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const RESOLUTION = 5;

if (isMainThread) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
  histogram.enable();
  process.on("SIGUSR2", () => {
    // What is recorded is the time between two looks.
    const delay = Math.max(0, histogram.percentile(99) / 1e6 - RESOLUTION);
    process.stderr.write(`event-loop-delay-p99 ${delay.toFixed(2)}\n`);
    histogram.reset();
  });
}
