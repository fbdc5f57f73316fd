-- Drives a second Neovim the way a person does: keys go in by nvim_input, and the driver looks at what came of it. Tests run in the
-- driving Neovim, so nothing they do runs inside the one that is tested, unless they say so with `lua`.

local M = {}

local here = vim.fs.dirname(vim.fs.normalize(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p')))
local top = vim.fs.dirname(vim.fs.dirname(here))

M.here = here
M.nvim = os.getenv('ASSIST_TEST_NVIM') or vim.v.progpath

--- Long enough for a slow and busy machine; a condition that holds is seen at once.
local PATIENCE = tonumber(os.getenv('ASSIST_TEST_PATIENCE')) or 180000
M.PATIENCE = PATIENCE

---@class Driver
local Driver = {}
Driver.__index = Driver

--- Starts a Neovim with the plugin (unless `plugin` is false) and nothing of the user's.
---@param options? {env?: table<string, string>, cwd?: string, setup?: string, plugin?: boolean}
function M.start(options)
  options = options or {}
  local env = vim.tbl_extend('force', { NVIM_LOG_FILE = '/dev/null', NVIM = '' }, options.env or {})
  local channel = vim.fn.jobstart({ M.nvim, '--embed', '--headless', '--clean', '-n', '-i', 'NONE' }, {
    rpc = true,
    env = env,
    cwd = options.cwd,
  })
  assert(channel > 0, 'Neovim does not start: ' .. M.nvim)
  local self = setmetatable({ channel = channel }, Driver)
  self:call('nvim_set_option_value', 'columns', 100, {})
  self:call('nvim_set_option_value', 'lines', 30, {})
  self:lua(
    [[
    local top, setup, plugin = ...
    if plugin then
      vim.opt.runtimepath:prepend(top .. '/editors/nvim')
      vim.cmd.runtime('plugin/assist.lua')
    end
    vim.o.hidden, vim.o.swapfile = true, false
    -- what plugins say, for tests to read
    _G.said = {}
    vim.notify = function(message, level) table.insert(_G.said, message) end
    -- what is asked with vim.ui.input, answered by tests
    _G.asked, _G.answers = {}, {}
    vim.ui.input = function(options, done)
      table.insert(_G.asked, options.prompt)
      local answer = table.remove(_G.answers, 1)
      if answer then vim.schedule(function() done(answer) end) else _G.pending_input = done end
    end
    vim.ui.select = function(items, options, done)
      table.insert(_G.asked, options.prompt)
      _G.pending_select = function(index) done(items[index], index) end
    end
    if setup ~= '' then assert(loadstring(setup))() end
    ]],
    top,
    options.setup or '',
    options.plugin ~= false
  )
  return self
end

--- Drives a Neovim that is there already, by its socket.
function M.connect(socket)
  local channel = vim.fn.sockconnect('pipe', socket, { rpc = true })
  assert(channel > 0, 'no Neovim listens on ' .. socket)
  return setmetatable({ channel = channel }, Driver)
end

function Driver:call(method, ...)
  return vim.rpcrequest(self.channel, method, ...)
end

--- Runs Lua inside; the code's return value comes back.
function Driver:lua(code, ...)
  return self:call('nvim_exec_lua', code, { ... })
end

--- Types, and waits until Neovim has taken it in.
function Driver:type(keys)
  self:call('nvim_input', keys)
  -- Requests are answered between keys: the second one comes after all that was typed before the first.
  self:call('nvim_eval', '1')
  self:call('nvim_eval', '1')
end

function Driver:edit(path)
  self:call('nvim_command', 'edit ' .. vim.fn.fnameescape(path))
end

--- The buffer's text, its lines joined.
function Driver:text(buffer)
  return table.concat(self:call('nvim_buf_get_lines', buffer or 0, 0, -1, false), '\n')
end

function Driver:mode()
  return self:call('nvim_get_mode').mode
end

--- Waits until the Lua expression inside is true.
function Driver:wait(expression, ...)
  local value
  local arguments = { ... }
  local ok = vim.wait(PATIENCE, function()
    value = self:lua('return ' .. expression, unpack(arguments))
    return value ~= nil and value ~= vim.NIL and value ~= false
  end, 5)
  if not ok then
    local state = self:lua([[
      local loaded, progress = pcall(require, 'assist.progress')
      local lines = loaded and progress.lines() or {}
      return vim.inspect({ said = _G.said, asked = _G.asked, float = lines, mode = vim.api.nvim_get_mode(),
        text = vim.api.nvim_buf_get_lines(0, 0, -1, false), messages = vim.fn.execute('messages') })]])
    error(('waited in vain for `%s`: %s'):format(expression, state), 2)
  end
  return value
end

--- Waits until the current buffer belongs to a client that can be asked.
function Driver:attached()
  self:wait([[#vim.lsp.get_clients({ name = 'assist', bufnr = 0 }) == 1]])
end

--- Asks the server something and waits for the answer.
function Driver:request(method, params)
  self:lua(
    [[
    local method, params = ...
    local client = require('assist.client').all()[1]
    _G.reply = nil
    require('assist.client').request(client, method, params or vim.empty_dict(), function(err, result)
      _G.reply = { err = err, result = result }
    end)
    ]],
    method,
    params
  )
  self:wait('_G.reply ~= nil')
  return self:lua('return _G.reply')
end

function Driver:stop()
  pcall(vim.rpcnotify, self.channel, 'nvim_command', 'qall!')
  local waited, ended = pcall(vim.fn.jobwait, { self.channel }, PATIENCE) -- a socket is no job
  if waited and ended[1] == -1 then
    vim.fn.jobstop(self.channel)
  end
end

--- An empty folder that is a project of its own.
function M.folder(files)
  local folder = vim.fn.resolve(vim.fn.tempname())
  vim.fn.mkdir(folder .. '/.git', 'p')
  for name, text in pairs(files or {}) do
    vim.fn.mkdir(vim.fs.dirname(folder .. '/' .. name), 'p')
    local file = assert(io.open(folder .. '/' .. name, 'wb'))
    file:write(text)
    file:close()
  end
  return folder
end

function M.exists(path)
  return vim.uv.fs_stat(path) ~= nil
end

function M.read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end

--- Two values are the same, or the test ends with both.
function M.same(got, expected, what)
  if not vim.deep_equal(got, expected) then
    local message = '%s\n   got: %s\n  want: %s'
    error(message:format(what or 'they differ', vim.inspect(got), vim.inspect(expected)), 2)
  end
end

function M.has(text, part, what)
  if not tostring(text):find(part, 1, true) then
    error(('%s\n  %s\n  has no: %s'):format(what or 'not found', vim.inspect(text), part), 2)
  end
end

--- Runs tests by name, each with Neovims that are stopped after it. $ASSIST_TEST_ONLY picks one, or all whose name holds it.
---@param tests {[1]: string, [2]: fun()}[]
function M.run(tests)
  local only = os.getenv('ASSIST_TEST_ONLY')
  local exact = vim.iter(tests):any(function(test)
    return test[1] == only
  end)
  local failed, ran = 0, 0
  for _, test in ipairs(tests) do
    if not only or exact and test[1] == only or not exact and test[1]:find(only, 1, true) then
      ran = ran + 1
      M.running = {}
      local ok, problem = xpcall(test[2], debug.traceback)
      for _, driver in ipairs(M.running) do
        driver:stop()
      end
      print((ok and 'ok      ' or 'FAILED  ') .. test[1])
      if not ok then
        failed = failed + 1
        print(problem)
      end
    end
  end
  local version = vim.version()
  print(('%d of %d passed on Neovim %d.%d.%d'):format(ran - failed, ran, version.major, version.minor, version.patch))
  os.exit(failed == 0 and ran > 0 and 0 or 1)
end

local start = M.start
M.start = function(options)
  local driver = start(options)
  if M.running then
    table.insert(M.running, driver)
  end
  return driver
end

return M
