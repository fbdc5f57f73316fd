--- The connection to `assist lsp`: one process a project, started at the first file or question.

local binary = require('assist.binary')
local config = require('assist.config')
local documents = require('assist.documents')

local M = {}

M.name = 'assist'

--- Ids of live clients by their root.
---@type table<string, integer>
local by_root = {}

--- The root that was used last: what is asked from a help page or an answer is about that project.
---@type string?
local recent

--- What waits for a client to be ready.
---@type table<integer, fun(client?: vim.lsp.Client, problem?: string)[]>
local waiting = {}

local modern = vim.fn.has('nvim-0.11') == 1

--- Sends a request; Neovim 0.10 wants it without `self`.
function M.request(client, method, params, handler, bufnr)
  if modern then
    return client:request(method, params, handler, bufnr)
  end
  return client.request(method, params, handler, bufnr)
end

function M.notify(client, method, params)
  if modern then
    return client:notify(method, params)
  end
  return client.notify(method, params)
end

local function say(message, level)
  vim.schedule(function()
    vim.notify(message, level or vim.log.levels.INFO, { title = 'Assist' })
  end)
end
M.say = say

local function capabilities()
  local own = vim.lsp.protocol.make_client_capabilities()
  own.experimental = vim.tbl_extend('force', own.experimental or {}, { assist = { protocol = 1 } })
  own.window = vim.tbl_extend('force', own.window or {}, { workDoneProgress = true })
  if config.options.edits == 'careful' then
    -- what `assist.edit` does: text of open documents, by version, all or nothing
    own.workspace.workspaceEdit = { documentChanges = true, failureHandling = 'abort' }
  else
    own.workspace.workspaceEdit.documentChanges = true -- Neovim makes them, but does not say so
  end
  return own
end

--- What the protocol asks of a rich client.
local function handlers()
  local runs = require('assist.runs')
  local own = {
    ['assist/event'] = function(_, params, ctx)
      runs.event(ctx.client_id, params)
    end,
    ['assist/runs'] = function(_, params, ctx)
      runs.list(ctx.client_id, type(params.runs) == 'table' and params.runs or {}, true)
    end,
    ['assist/resting'] = function(_, params, ctx)
      local rows = type(params.runs) == 'table' and params.runs or {}
      runs.list(ctx.client_id, rows, false)
      require('assist.steering').offer(ctx.client_id, rows)
    end,
    ['assist/delta'] = function(_, params, ctx)
      runs.delta(ctx.client_id, params)
    end,
    ['assist/save'] = function(_, params)
      return documents.save(params)
    end,
    ['window/showMessage'] = function(_, params)
      local levels = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO, vim.log.levels.INFO }
      say(params.message, levels[params.type])
    end,
    ['window/showMessageRequest'] = function(_, params, ctx)
      return require('assist.card').message_request(params, ctx)
    end,
  }
  if config.options.edits == 'careful' then
    own['workspace/applyEdit'] = function(_, params, ctx)
      return require('assist.edit').apply(params, ctx)
    end
  end
  return own
end

local function ready(id, client, problem)
  local callbacks = waiting[id] or {}
  waiting[id] = nil
  for _, callback in ipairs(callbacks) do
    callback(client, problem)
  end
end

local function on_exit(root, code, signal, id)
  if by_root[root] == id then
    by_root[root] = nil
  end
  vim.schedule(function()
    documents.client_ended(id)
    require('assist.card').client_ended(id)
    require('assist.runs').client_ended(id)
    local ending = (code ~= 0 and code ~= 143) and ('It ended with code %d.'):format(code)
      or (signal ~= 0 and signal ~= 15) and ('It was ended by signal %d.'):format(signal)
      or nil
    ready(id, nil, 'The Assist server did not start. ' .. (ending or ''))
    if ending and vim.v.exiting == vim.NIL then
      say('The Assist server stopped. ' .. ending .. ' `:Assist restart` starts it again.', vim.log.levels.ERROR)
    end
  end)
end

local function start(root)
  local command, problem = binary.find()
  if not command then
    return nil, problem
  end
  command[#command + 1] = 'lsp'
  local intercepted = {
    ['assist.ask'] = function(given, ctx)
      require('assist.ask').from_action(given, ctx)
    end,
  }
  local settings = vim.tbl_isempty(config.options.settings) and vim.empty_dict() or config.options.settings
  local own = {
    name = M.name,
    cmd = command,
    cmd_cwd = vim.fn.isdirectory(root) == 1 and root or nil,
    root_dir = root,
    workspace_folders = { { uri = vim.uri_from_fname(root), name = root } },
    capabilities = capabilities(),
    init_options = settings,
    settings = { assist = settings },
    handlers = handlers(),
    commands = intercepted,
    -- time for the server to write down what a run has so far
    exit_timeout = 1000,
    flags = { exit_timeout = 1000 },
    on_init = function(client)
      vim.schedule(function()
        ready(client.id, client)
      end)
    end,
    on_attach = function(_, bufnr)
      documents.follow(bufnr)
    end,
    on_exit = function(code, signal, id)
      on_exit(root, code, signal, id)
    end,
  }
  local id
  if modern then
    id = vim.lsp.start(own, { attach = false, reuse_client = function() return false end })
  else
    id = vim.lsp.start_client(own)
  end
  if not id then
    return nil, ('Assist cannot start `%s`, see :checkhealth assist.'):format(table.concat(command, ' '))
  end
  by_root[root] = id
  waiting[id] = {}
  return id
end

--- The client of a root, started if needed. The callback comes once it can be asked, or with one sentence why not.
---@param root string
---@param callback fun(client?: vim.lsp.Client, problem?: string)
---@return integer? id
local function with_root(root, callback)
  local id = by_root[root]
  local live = id and vim.lsp.get_client_by_id(id)
  if live and not waiting[id] then
    callback(live)
    return id
  end
  if not id then
    local problem
    id, problem = start(root)
    if not id then
      callback(nil, problem)
      return nil
    end
  end
  table.insert(waiting[id], callback)
  return id
end

--- Gives the buffer to its client. The callback comes once the server knows the document.
---@param bufnr integer
---@param callback? fun(client?: vim.lsp.Client, problem?: string)
function M.attach(bufnr, callback)
  callback = callback or function() end
  local root = recent
  if not root or not by_root[root] or documents.is_text(bufnr) then
    root = documents.root(bufnr)
  end
  recent = root
  with_root(root, function(client, problem)
    if not client then
      return callback(nil, problem)
    end
    if documents.is_file(bufnr) then
      if not vim.lsp.buf_is_attached(bufnr, client.id) then
        vim.lsp.buf_attach_client(bufnr, client.id)
      end
      documents.follow(bufnr)
    elseif documents.is_text(bufnr) and vim.api.nvim_buf_get_name(bufnr) == '' then
      documents.open_untitled(bufnr, client.id)
    end
    callback(client)
  end)
end

--- All live clients.
---@return vim.lsp.Client[]
function M.all()
  local clients = {}
  for _, id in pairs(by_root) do
    clients[#clients + 1] = vim.lsp.get_client_by_id(id)
  end
  return clients
end

--- Runs a server command. The handler gets the error as the protocol describes it, or the answer.
---@param client vim.lsp.Client
---@param command string
---@param argument table
---@param handler fun(err?: table, result?: table)
function M.execute(client, command, argument, handler, bufnr)
  if next(argument) == nil then
    argument = vim.empty_dict()
  end
  local params = { command = command, arguments = { argument } }
  M.request(client, 'workspace/executeCommand', params, function(err, result)
    handler(err, result)
  end, bufnr)
end

--- Stops all clients and starts them again for the buffers that they had.
function M.restart()
  local buffers = {}
  local stopping = M.all()
  for _, client in ipairs(stopping) do
    for bufnr in pairs(client.attached_buffers) do
      buffers[#buffers + 1] = bufnr
    end
    if modern then
      client:stop()
    else
      client.stop()
    end
  end
  vim.wait(2000, function()
    return vim.iter(stopping):all(function(client)
      return vim.lsp.get_client_by_id(client.id) == nil
    end)
  end, 10)
  by_root = {}
  if #buffers == 0 then
    buffers = { vim.api.nvim_get_current_buf() }
  end
  for _, bufnr in ipairs(buffers) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      M.attach(bufnr, function(_, problem)
        if problem then
          say(problem, vim.log.levels.ERROR)
        end
      end)
    end
  end
end

return M
