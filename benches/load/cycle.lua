-- For wrk with one thread: sends the requests of a file that load-requests wrote, each once, then
-- from the start.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local length = file:read("*n")
  file:read(1)
  requests = {}
  while true do
    local body = file:read(length)
    if not body or #body < length then break end
    requests[#requests + 1] =
      wrk.format("POST", "/gateway", { ["Content-Type"] = "message/ohttp-req" }, body)
  end
  file:close()
  next_request = 0
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end
