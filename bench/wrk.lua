-- Cycles through the requests listed in $BENCH_PATHS (one path a line), all with the headers of
-- $BENCH_HEADERS ("Name: value" a line), and prints what was counted as JSON. Requests are
-- built once, so that the client's share of the machine is as small as wrk can make it.
local requests = {}
local count, position = 0, 0

function init()
  for line in io.lines(os.getenv("BENCH_HEADERS")) do
    local name, value = line:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
  for path in io.lines(os.getenv("BENCH_PATHS")) do
    count = count + 1
    requests[count] = wrk.format("GET", path)
  end
end

function request()
  position = position % count + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"durationUs":%d,"bytes":%d,"badStatus":%d,"socketErrors":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
