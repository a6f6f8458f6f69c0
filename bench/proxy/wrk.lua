-- One round of wrk: its arguments are METHOD and the body's length; its exact counts come as one line of JSON.
function init(args)
  wrk.method = args[1] or "GET"
  local length = tonumber(args[2] or "0")
  if length > 0 then wrk.body = string.rep("x", length) end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"bytes":%d,"badStatus":%d,"socketErrors":%d,"p50us":%d,"p99us":%d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
