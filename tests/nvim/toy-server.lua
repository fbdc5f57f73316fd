-- A language server small enough to be read at once, for the plugin's own mechanics. It speaks over standard input and output and does
-- what the prompt of an `assist.ask` says, as a JSON object:
--   {"edits": [..], "version": n?}  sends them as one workspace/applyEdit for the asked document
--   {"events": [..]}                 sends assist/event notifications, `run` and `seq` filled in
--   {"deltas": [..]}                 sends assist/delta notifications
--   {"question": "..", "choices": []} asks, first as an event and then as a message request
--   {"error": {..}}                  answers with it
-- Everything that arrives is kept, and handed out to the request `toy/seen`.
-- Run it as: nvim -l toy-server.lua lsp. With `auth set NAME` it writes what it reads into the file $TOY_KEYS.

if arg[1] == 'auth' then
  local file = assert(io.open(assert(os.getenv('TOY_KEYS')), 'w'))
  file:write(arg[3] .. '=' .. io.stdin:read('*a'))
  file:close()
  print('Kept.')
  os.exit(0)
end

local seen = {}
local documents = {}
local next_id = 1
local waiting = {}
local runs = 0

local function send(message)
  message.jsonrpc = '2.0'
  local body = vim.json.encode(message)
  io.stdout:write(('Content-Length: %d\r\n\r\n%s'):format(#body, body))
  io.stdout:flush()
end

local function request(method, params, done)
  waiting[next_id] = done or function() end
  send({ id = next_id, method = method, params = params })
  next_id = next_id + 1
end

local function perform(given, run, uri)
  local seq = 0
  local function event(kind, data)
    seq = seq + 1
    send({ method = 'assist/event', params = { v = 1, run = run, seq = seq, ts = 0, type = kind, data = data } })
  end
  for _, each in ipairs(given.events or {}) do
    event(each.type, each.data)
  end
  for _, each in ipairs(given.deltas or {}) do
    each.run = run
    send({ method = 'assist/delta', params = each })
  end
  if given.question then
    event('approval_requested', { question = given.question, detail = given.detail, choices = given.choices })
    local actions = vim.tbl_map(function(title)
      return { title = title }
    end, given.choices)
    request('window/showMessageRequest', { type = 3, message = given.question, actions = actions })
  end
  if given.edits then
    local text_document = { uri = given.uri or uri, version = given.version or documents[uri] }
    local edit = { documentChanges = { { textDocument = text_document, edits = given.edits } } }
    request('workspace/applyEdit', { label = 'Assist: Toy', edit = edit })
  end
end

local answers = {
  initialize = function()
    return {
      serverInfo = { name = 'toy', version = '0' },
      capabilities = {
        positionEncoding = os.getenv('TOY_ENCODING') or 'utf-16',
        textDocumentSync = { openClose = true, change = 2, save = true },
        codeActionProvider = true,
        executeCommandProvider = { commands = { 'assist.ask', 'assist.cancel', 'assist.undo', 'assist.confirm' } },
        experimental = { assist = { protocol = 1 } },
      },
    }
  end,
  shutdown = function()
    return vim.NIL
  end,
  ['toy/seen'] = function()
    return seen
  end,
  -- what a client does that reads its wire: everything before this has been read when the answer comes
  ['toy/perform'] = function(params)
    perform(params.given, params.run or 'toy', params.uri)
    return vim.NIL
  end,
  ['assist/status'] = function()
    return { ready = true, provider = 'toy', model = 'toy-1', version = '0' }
  end,
  ['textDocument/codeAction'] = function(params)
    local argument = { intent = 'rewrite', uri = params.textDocument.uri, range = params.range }
    argument.version = documents[params.textDocument.uri]
    local command = { title = 'Ask', command = 'assist.ask', arguments = { argument } }
    return { { title = 'Assist: Rewrite…', kind = 'refactor.rewrite', command = command } }
  end,
  ['workspace/executeCommand'] = function(params)
    if params.command ~= 'assist.ask' then
      return { ok = true }
    end
    local argument = params.arguments[1]
    runs = runs + 1
    local run = ('0000000%d-toy'):format(runs)
    local ok, given = pcall(vim.json.decode, argument.prompt or '')
    given = ok and type(given) == 'table' and given or {}
    if given.error then
      return nil, given.error
    end
    return { runId = run, conversationId = 'c1' }, nil, function()
      perform(given, run, argument.uri)
    end
  end,
}

local function handle(message)
  if message.method and message.id == nil then
    seen[#seen + 1] = { method = message.method, params = message.params }
    local params = message.params
    if message.method == 'textDocument/didOpen' or message.method == 'textDocument/didChange' then
      documents[params.textDocument.uri] = params.textDocument.version
    elseif message.method == 'exit' then
      os.exit(0)
    end
  elseif message.method then
    if message.method ~= 'toy/seen' then
      seen[#seen + 1] = { method = message.method, params = message.params }
    end
    local answer = answers[message.method]
    if not answer then
      return send({ id = message.id, error = { code = -32601, message = 'no ' .. message.method } })
    end
    local result, problem, after = answer(message.params)
    if problem then
      send({ id = message.id, error = problem })
    else
      send({ id = message.id, result = result })
    end
    if after then
      after()
    end
  elseif message.id then
    -- null would not come through every client's JSON
    seen[#seen + 1] = { reply = message.result == vim.NIL and 'null' or message.result, error = message.error }
    local done = waiting[message.id]
    waiting[message.id] = nil
    done(message)
  end
end

while true do
  local length
  while true do
    local line = io.stdin:read('*l')
    if not line then
      os.exit(1)
    end
    line = line:gsub('\r$', '')
    if line == '' then
      break
    end
    length = tonumber(line:match('^[Cc]ontent%-[Ll]ength: (%d+)$')) or length
  end
  handle(vim.json.decode(io.stdin:read(length)))
end
