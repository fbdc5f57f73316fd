--- `:checkhealth assist`.

local binary = require('assist.binary')
local client = require('assist.client')

local M = {}

local health = vim.health

--- Runs the binary; nil when it cannot be run in time.
local function run(command, arguments, cwd)
  local full = vim.list_extend(vim.deepcopy(command), arguments)
  local ok, done = pcall(function()
    return vim.system(full, { text = true, cwd = cwd }):wait(15000)
  end)
  return ok and done or nil
end

local function check_neovim()
  health.start('Neovim')
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.10') == 1 then
    health.ok('Neovim ' .. version)
  else
    health.error(('Neovim %s is too old'):format(version), { 'Install Neovim 0.10 or newer.' })
  end
end

local function check_binary()
  health.start('The assist binary')
  local command, problem, where = binary.find()
  if not command then
    health.error(problem)
    return nil
  end
  local done = run(command, { '--version' })
  if not done or done.code ~= 0 then
    local said = done and vim.trim(done.stderr or '') or 'it does not start'
    health.error(('`%s` does not work: %s'):format(table.concat(command, ' '), said), {
      'Install it again, or set the option `cmd` to another one.',
    })
    return nil
  end
  health.ok(('%s: `%s`, found by %s'):format(vim.trim(done.stdout), table.concat(command, ' '), where))
  return command
end

local function check_project(command)
  health.start('This project')
  local root = require('assist.documents').root(vim.api.nvim_get_current_buf())
  health.info('Folder: ' .. root)
  local done = run(command, { 'doctor', '--json' }, vim.fn.isdirectory(root) == 1 and root or nil)
  local parsed, report = pcall(vim.json.decode, done and done.stdout or '', { luanil = { object = true } })
  if not parsed or type(report) ~= 'table' then
    local said = done and vim.trim(done.stderr or '') or ''
    health.error('`assist doctor` gave no report: ' .. (said ~= '' and said or 'no answer in 15 s'))
    return
  end
  for _, check in ipairs(report.checks or {}) do
    local line = ('%s: %s'):format(tostring(check.name), tostring(check.detail or ''))
    if check.ok == true then
      health.ok(line)
    elseif check.ok == false then
      health.error(line)
    else
      health.info(line)
    end
  end
  local any = false
  for _, provider in ipairs(report.providers or {}) do
    if provider.configured then
      any = true
      local from = provider.keyFrom and (' (key from %s)'):format(provider.keyFrom) or ''
      local line = ('%s: %s%s'):format(provider.title or provider.name, provider.detail or provider.state, from)
      if provider.state == 'reachable' then
        health.ok(line)
      else
        health.warn(line)
      end
    end
  end
  if not any then
    health.warn('No model provider is set up.', { '`:Assist key` keeps a key; `assist auth list` shows the choices.' })
  end
end

local function check_client()
  health.start('Connection')
  local clients = client.all()
  if #clients == 0 then
    health.info('Not connected now; that happens when a file is opened or something is asked.')
  end
  for _, connected in ipairs(clients) do
    local buffers = vim.tbl_keys(connected.attached_buffers)
    local info = connected.server_info or {}
    health.ok(
      ('%s %s serves %s (%d buffers, %s positions)'):format(
        info.name or 'assist',
        info.version or '',
        connected.config.root_dir or '?',
        #buffers,
        connected.offset_encoding
      )
    )
    local experimental = connected.server_capabilities.experimental
    local protocol = type(experimental) == 'table' and experimental.assist and experimental.assist.protocol
    if protocol ~= 1 then
      health.warn('The server does not speak version 1 of the Assist protocol: progress and answers may be missing.', {
        'Use the plugin and the binary of the same release.',
      })
    end
  end
  if require('assist.config').options.edits == 'stock' then
    health.warn("The option `edits` is 'stock': Neovim claims that edits it dropped were made.")
  end
end

--- Called by Neovim.
function M.check()
  check_neovim()
  local command = check_binary()
  if command then
    check_project(command)
  end
  check_client()
end

return M
