-- Talks to the model simulator over its HTTP interface: waits for what it has seen, and lets held answers go on.

local M = {}

local host, port = (os.getenv('ASSIST_TEST_SIMULATOR') or ''):match('^http://([%d.]+):(%d+)')

--- One exchange; the answer's body.
local function exchange(method, path)
  assert(host, 'ASSIST_TEST_SIMULATOR names no simulator')
  local socket = assert(vim.uv.new_tcp())
  local received, ended, problem = {}, false, nil
  socket:connect(host, tonumber(port), function(err)
    if err then
      problem, ended = err, true
      return
    end
    socket:read_start(function(read_err, data)
      received[#received + 1] = data
      -- the connection stays open: the length says where the answer ends
      local head, body = table.concat(received):match('^(.-\r\n\r\n)(.*)$')
      local length = head and tonumber(head:lower():match('content%-length: (%d+)')) or 0
      problem, ended = read_err, not data or head ~= nil and #body >= length
    end)
    local lines = { method .. ' ' .. path .. ' HTTP/1.1', 'Host: ' .. host, 'Content-Length: 0' }
    socket:write(table.concat(lines, '\r\n') .. '\r\n\r\n')
  end)
  local ok = vim.wait(tonumber(os.getenv('ASSIST_TEST_PATIENCE')) or 180000, function()
    return ended
  end, 5)
  socket:close()
  assert(ok and not problem, ('%s %s: %s'):format(method, path, problem or 'no answer'))
  local answer = table.concat(received)
  local status, body = answer:match('^HTTP/1%.%d (%d+)'), answer:match('\r\n\r\n(.*)$')
  assert(status == '200' or status == '204', ('%s %s: %s'):format(method, path, answer:sub(1, 200)))
  return body
end

--- Waits until `count` answers have been held.
function M.held(count)
  exchange('GET', '/_sim/requests?stalled=' .. count)
end

--- Waits until `count` clients have gone away in the middle of an answer.
function M.disconnected(count)
  exchange('GET', '/_sim/requests?disconnected=' .. count)
end

--- Lets the held answers go on.
function M.release()
  exchange('POST', '/_sim/release')
end

--- The model requests so far.
function M.requests()
  return vim.json.decode((exchange('GET', '/_sim/requests')))
end

return M
