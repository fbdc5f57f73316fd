--- `:Assist`. The first word may be a verb; anything else is a question in the user's words.

local client = require('assist.client')
local position = require('assist.position')
local runs = require('assist.runs')

local M = {}

local function warn(message)
  vim.notify(message, vim.log.levels.WARN, { title = 'Assist' })
end

--- Runs a server command for a run, by the beginning of its id or, without one, the newest that fits. The server decides which that
--- is if this Neovim knows none.
local function control(command, id, fits, argument)
  local run = id and runs.find(id) or not id and runs.newest(fits) or nil
  local full = run and run.id or id
  local connected = run and run.client and vim.lsp.get_client_by_id(run.client)
  local function send(to)
    local given = vim.tbl_extend('force', { runId = full }, argument or {})
    client.execute(to, command, given, function(err)
      if err then
        require('assist.ask').report(err)
      end
    end)
  end
  if connected then
    return send(connected)
  end
  client.attach(vim.api.nvim_get_current_buf(), function(attached, problem)
    if attached then
      send(attached)
    else
      warn(problem)
    end
  end)
end

local function waiting(run)
  return run.state == 'awaiting_confirmation'
end

--- The buffer that lists and logs are shown in.
local function scratch(name, lines, filetype)
  local full = 'assist://' .. name
  local bufnr = vim.iter(vim.api.nvim_list_bufs()):find(function(buffer)
    return vim.api.nvim_buf_get_name(buffer) == full
  end)
  if not bufnr then
    bufnr = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(bufnr, full)
    vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, desc = 'Close' })
  end
  vim.bo[bufnr].buftype = 'nofile'
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].filetype = filetype or ''
  local window = vim.fn.bufwinid(bufnr)
  if window == -1 then
    local height = math.min(#lines + 1, math.floor(vim.o.lines * 0.5))
    window = vim.api.nvim_open_win(bufnr, true, { split = 'below', win = -1, height = math.max(height, 3) })
    vim.wo[window].wrap = false
    vim.wo[window].number = false
    vim.wo[window].relativenumber = false
    vim.wo[window].winfixheight = true
  end
  return bufnr, window
end

--- Asks the server of the current buffer.
local function request(method, params, done)
  client.attach(vim.api.nvim_get_current_buf(), function(connected, problem)
    if not connected then
      return warn(problem)
    end
    client.request(connected, method, next(params) and params or vim.empty_dict(), function(err, result)
      if err then
        require('assist.ask').report(err)
      else
        done(result, connected)
      end
    end)
  end)
end

local function ago(milliseconds)
  if type(milliseconds) ~= 'number' then
    return ''
  end
  local seconds = os.time() - math.floor(milliseconds / 1000)
  for _, unit in ipairs({ { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' } }) do
    if seconds >= unit[1] then
      return math.floor(seconds / unit[1]) .. unit[2]
    end
  end
  return math.max(0, seconds) .. 's'
end

local function one_line(text)
  return type(text) == 'string' and (text:gsub('%s+', ' ')) or ''
end

local function show_events(run_id)
  request('assist/events', { runId = run_id }, function(result)
    local lines = { 'Run ' .. run_id, '' }
    for _, event in ipairs(type(result) == 'table' and result.events or {}) do
      local data = type(event.data) == 'table' and event.data or {}
      local words = data.message or data.text or data.summary or data.question or data.reason
      local pieces = {}
      for _, key in ipairs({ 'state', 'agent', 'component', 'path', 'verdict', 'cause', 'attempt', 'model' }) do
        if type(data[key]) == 'string' or type(data[key]) == 'number' then
          pieces[#pieces + 1] = tostring(data[key])
        end
      end
      pieces[#pieces + 1] = one_line(words)
      local line = ('%4d  %-19s  %s'):format(event.seq or 0, event.type or '', table.concat(pieces, '  '))
      lines[#lines + 1] = vim.trim(line) == '' and '' or (line:gsub('%s+$', ''))
    end
    scratch('log', lines)
  end)
end

local function show_sessions()
  request('assist/sessions', { limit = 50 }, function(result)
    local sessions = type(result) == 'table' and result.sessions or {}
    local lines = { 'Enter shows the log, u takes a run back, r goes on with a paused one, q closes', '' }
    local ids = {}
    for _, session in ipairs(sessions) do
      local reason = type(session.reason) == 'string' and (' (%s)'):format(session.reason) or ''
      local note = session.summary or session.error
      local note_text = one_line(note)
      lines[#lines + 1] = ('%-8s  %4s  %-24s  %s%s'):format(
        session.runId:sub(-8),
        ago(session.createdAt),
        session.status .. reason,
        one_line(session.task),
        note_text ~= '' and '  · ' .. note_text or ''
      )
      ids[#lines] = session.runId
    end
    if #sessions == 0 then
      lines = { 'There are no runs in this project yet.' }
    end
    local bufnr, window = scratch('sessions', lines)
    if #sessions > 0 then
      vim.api.nvim_win_set_cursor(window, { 3, 0 })
    end
    local function map(key, what, action)
      vim.keymap.set('n', key, function()
        local id = ids[vim.api.nvim_win_get_cursor(0)[1]]
        if id then
          action(id)
        end
      end, { buffer = bufnr, nowait = true, desc = what })
    end
    map('<CR>', 'Show the log', show_events)
    map('u', 'Take the run back', function(id)
      control('assist.undo', id)
    end)
    map('r', 'Go on with the run', function(id)
      control('assist.resume', id)
    end)
  end)
end

local function show_status()
  request('assist/status', {}, function(result, connected)
    local version = type(result.version) == 'string' and ' ' .. result.version or ''
    local lines = { ('Assist%s, %s'):format(version, result.root or connected.config.root_dir or '') }
    if result.ready then
      lines[#lines + 1] = ('Ready: %s %s'):format(result.provider or '', result.model or '')
    else
      lines[#lines + 1] = one_line(result.problem) .. ' ' .. one_line(result.fix)
    end
    for _, run in ipairs(runs.all()) do
      if runs.is_live(run) then
        lines[#lines + 1] = ('%s: %s'):format(run.title, run.doing or run.state)
      end
    end
    local level = result.ready and vim.log.levels.INFO or vim.log.levels.WARN
    vim.notify(table.concat(lines, '\n'), level, { title = 'Assist' })
  end)
end

--- The steps of a plan that `:Assist confirm 1,3` names; nothing where the words are no such list.
---@param words? string
---@return integer[]?
function M.steps(words)
  if not words or not words:match('^%d[%d%s,]*$') then
    return nil
  end
  local steps = {}
  for number in words:gmatch('%d+') do
    if #number > 2 then
      return nil -- the beginning of a run's id
    end
    steps[#steps + 1] = tonumber(number)
  end
  return steps
end

--- Verbs that ask; the rest of the line is added to what they mean.
local intents =
  { ask = true, talk = true, fix = true, explain = true, test = true, document = true, rewrite = true, build = true }

--- Verbs that steer; they take at most a run's id.
---@type table<string, fun(id?: string)>
local controls = {
  cancel = function(id)
    local run = id and runs.find(id) or not id and runs.newest(runs.is_live) or nil
    if not id and not run then
      return warn('Nothing is running.')
    end
    control('assist.cancel', id, runs.is_live)
  end,
  undo = function(id)
    control('assist.undo', id, function(run)
      return not runs.is_live(run) and (#run.changed > 0 or vim.iter(run.parts):any(function(part)
        return part.applied
      end))
    end)
  end,
  confirm = function(id)
    local steps = M.steps(id)
    control('assist.confirm', not steps and id or nil, waiting, steps and { steps = steps })
  end,
  decline = function(id)
    control('assist.decline', id, waiting)
  end,
  resume = function(id)
    control('assist.resume', id, function(run)
      return run.state == 'paused'
    end)
  end,
  log = function(id)
    local run = id and runs.find(id) or not id and runs.newest(function(run)
      return run.id ~= nil
    end) or nil
    if not run and not id then
      return show_sessions()
    end
    show_events(run and run.id or id)
  end,
  sessions = function()
    show_sessions()
  end,
  status = function()
    show_status()
  end,
  restart = function()
    client.restart()
  end,
  key = function()
    require('assist.provider').choose()
  end,
  new = function()
    require('assist.ask').forget()
    vim.notify('The next question begins a new conversation.', vim.log.levels.INFO, { title = 'Assist' })
  end,
}

--- Verbs that never take a run.
local bare = { sessions = true, status = true, restart = true, key = true, new = true }

local function answer(words)
  local card = require('assist.card')
  if words == '' then
    if not card.focus() then
      require('assist.answer').open(true)
    end
    return
  end
  local choice = tonumber(words)
  local open = card.open()
  if open and choice and open.choices[choice] then
    return card.choose(choice)
  elseif open then
    return card.choose(words)
  end
  control('assist.answer', nil, waiting, { text = words })
end

--- Takes a line apart.
---@param line string
---@param whole boolean the line is a question, whatever its first word
---@return string verb
---@return string rest
function M.parse(line, whole)
  line = vim.trim(line)
  local first, rest = line:match('^(%S+)%s*(.*)$')
  if whole or not first then
    return 'ask', line
  end
  if intents[first] or first == 'answer' then
    return first, rest
  end
  if controls[first] then
    local id = not bare[first] and rest:match('^[%x%-]+$') and #rest >= 4
    if rest == '' or id or first == 'confirm' and M.steps(rest) then
      return first, rest
    end
  end
  return 'ask', line
end

--- The range of a `:Assist` that was given one. A selection by characters is only its lines on the command line, but Neovim keeps it.
local function range_of(opts)
  if opts.range == 0 then
    return nil
  end
  local bufnr = vim.api.nvim_get_current_buf()
  local first, last = vim.fn.getpos("'<"), vim.fn.getpos("'>")
  local kind = vim.fn.visualmode()
  if opts.range == 2 and kind ~= '' and first[2] == opts.line1 and last[2] == opts.line2 then
    return position.selection(bufnr, kind)
  end
  return position.lines(bufnr, opts.line1, opts.line2)
end

--- `:Assist`
---@param opts table as a user command gets it
function M.run(opts)
  require('assist').ensure_setup()
  local verb, rest = M.parse(opts.args, opts.bang)
  if controls[verb] then
    controls[verb](rest ~= '' and rest or nil)
  elseif verb == 'answer' then
    answer(rest)
  else
    local range, problem = range_of(opts)
    if problem then
      return warn(problem)
    end
    require('assist.ask').about(verb, rest ~= '' and rest or nil, range)
  end
end

--- Completes the verb, and the runs of those that take one.
---@return string[]
function M.complete(lead, line)
  local before = line:match('^.*Assist!?%s+(.*)$') or ''
  local verb = before:match('^(%S+)%s+%S*$')
  local words = {}
  if verb and controls[verb] and not bare[verb] then
    for _, run in ipairs(runs.all()) do
      words[#words + 1] = run.id
    end
  elseif not before:match('%s') then
    words = vim.tbl_keys(intents)
    vim.list_extend(words, vim.tbl_keys(controls))
    words[#words + 1] = 'answer'
    table.sort(words)
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, words)
end

--- What a `<Plug>` mapping does: in visual mode with the selection, which ends.
---@param verb string
function M.plug(verb)
  require('assist').ensure_setup()
  local mode = vim.api.nvim_get_mode().mode
  local range
  if mode:match('^[vV\22]') then
    vim.api.nvim_feedkeys(vim.keycode('<Esc>'), 'nx', false)
    local problem
    range, problem = position.selection(vim.api.nvim_get_current_buf(), vim.fn.visualmode())
    if problem then
      return warn(problem)
    end
  end
  if verb == 'answer' then
    answer('')
  elseif controls[verb] then
    controls[verb]()
  else
    require('assist.ask').about(verb, nil, range)
  end
end

return M
