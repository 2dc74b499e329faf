-- For wrk: sends the requests of a file in turn and tells the outcome as one line of JSON.
-- A line of the file: method, path, content type (may be empty), body in hexadecimal.
local lines = {}
local at = 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local method, path, kind, body = line:match("^(%S+) (%S+) (%S*) (%x*)$")
    local headers = {}
    for name, value in pairs(wrk.headers) do headers[name] = value end
    if kind ~= "" then headers["Content-Type"] = kind end
    local bytes = body:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
    lines[#lines + 1] = wrk.format(method, path, headers, #bytes > 0 and bytes or nil)
  end
end

function request()
  at = at % #lines + 1
  return lines[at]
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    '{"answers": %d, "bytes": %d, "microseconds": %d, "refused": %d, "failed": %d}\n',
    summary.requests, summary.bytes, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
