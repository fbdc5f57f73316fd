--- `:Assist`. The first word may be a verb; anything else is a question in the user's words.

local client = require('assist.client')
local position = require('assist.position')
local runs = require('assist.runs')
local steering = require('assist.steering')

local M = {}

local function warn(message)
  vim.notify(message, vim.log.levels.WARN, { title = 'Assist' })
end

--- Runs a server command for a run, by the beginning of its id or, without one, the newest that fits. The server decides which that
--- is if this Neovim knows none.
local function control(command, id, fits, argument)
  local run = id and runs.find(id) or not id and runs.newest(fits) or nil
  local full = run and run.id or id
  steering.send(command, run, full, argument)
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

--- The keys that steer, in a window about runs.
---@param bufnr integer
---@param id fun(): string? the run that is meant
local function steer_keys(bufnr, id)
  for key, action in pairs({
    p = { 'Pause the run', 'assist.pause' },
    s = { 'Stop the run', 'assist.cancel' },
    r = { 'Go on with the run', 'assist.resume' },
  }) do
    vim.keymap.set('n', key, function()
      local given = id()
      if given then
        control(action[2], given)
      end
    end, { buffer = bufnr, nowait = true, desc = action[1] })
  end
  vim.keymap.set('n', 't', function()
    local given = id()
    if given then
      steering.tell('', given)
    end
  end, { buffer = bufnr, nowait = true, desc = 'Tell the run something' })
end

local function one_line(text)
  return type(text) == 'string' and (text:gsub('%s+', ' ')) or ''
end

--- What an event says, as lines of a log.
local function event_lines(event)
  local data = type(event.data) == 'table' and event.data or {}
  local head = ('%4d  %-19s  '):format(event.seq or 0, event.type or '')
  if event.type == 'command' then
    local said = data.command or ''
    if data.state == 'started' then
      said = '$ ' .. said
    elseif data.state == 'output' then
      said = tostring(data.text or ''):gsub('\r', ''):gsub('\n$', '')
    elseif data.state == 'ended' then
      said = said .. (data.code and (' ended with code %s'):format(tostring(data.code)) or ' was ended')
    else
      said = ('%s: %s %s'):format(said, tostring(data.state), one_line(data.message))
    end
    local lines = vim.split(said, '\n', { plain = true })
    for index, line in ipairs(lines) do
      lines[index] = (index == 1 and head or (' '):rep(#head)) .. line
    end
    return lines
  end
  local words = data.message or data.text or data.summary or data.question or data.reason
  local pieces = {}
  for _, key in ipairs({ 'state', 'agent', 'component', 'path', 'verdict', 'cause', 'attempt', 'model' }) do
    if type(data[key]) == 'string' or type(data[key]) == 'number' then
      pieces[#pieces + 1] = tostring(data[key])
    end
  end
  pieces[#pieces + 1] = one_line(words)
  return { ((head .. table.concat(pieces, '  ')):gsub('%s+$', '')) }
end

--- What the log and the list of runs show, to be drawn anew when that changes.
local shown_log, shown_runs
local drawing = false

local function show_events(run_id)
  local run = runs.find(run_id)
  if run then
    steering.follow(run)
  end
  local function draw(again)
    request('assist/events', { runId = run_id }, function(result)
      local old = shown_log
      if again and (not old or old.run ~= run_id or vim.fn.bufwinid(old.bufnr) == -1) then
        return
      end
      local title = run and run.title ~= '' and (' · ' .. run.title) or ''
      local lines = { ('Run %s%s'):format(run_id, title), 'p pauses it, t tells it something, s stops it, r goes on with it, q closes', '' }
      for _, event in ipairs(type(result) == 'table' and result.events or {}) do
        vim.list_extend(lines, event_lines(event))
      end
      if again then
        -- whoever stands at the end stays at the end
        local window = vim.fn.bufwinid(old.bufnr)
        local at_end = vim.api.nvim_win_get_cursor(window)[1] >= vim.api.nvim_buf_line_count(old.bufnr)
        vim.bo[old.bufnr].modifiable = true
        vim.api.nvim_buf_set_lines(old.bufnr, 0, -1, false, lines)
        vim.bo[old.bufnr].modifiable = false
        if at_end then
          vim.api.nvim_win_set_cursor(window, { #lines, 0 })
        end
        return
      end
      local bufnr, window = scratch('log', lines)
      vim.api.nvim_win_set_cursor(window, { #lines, 0 })
      shown_log = { run = run_id, bufnr = bufnr, draw = function() draw(true) end }
      steer_keys(bufnr, function()
        return run_id
      end)
    end)
  end
  draw(false)
end

local function show_sessions(again)
  request('assist/sessions', { limit = 50 }, function(result)
    if again and (not shown_runs or vim.fn.bufwinid(shown_runs.bufnr) == -1) then
      return
    end
    local sessions = type(result) == 'table' and result.sessions or {}
    local lines = { 'Enter shows what it does. p pauses, t tells it something, s stops, r goes on, u takes back, q closes', '' }
    local ids = {}
    local function add(session)
      local run = runs.find(session.runId)
      local state = session.status .. (type(session.reason) == 'string' and (' (%s)'):format(session.reason) or '')
      if run and run.row and steering.live_or_rests(run) then
        state = steering.words(run)
      end
      local sign = ({ done = '✓', approved = '✓', failed = '✗', paused = '‖', stopped = '■', awaiting_confirmation = '?' })[session.status] or '›'
      local note = one_line(session.summary or session.error)
      lines[#lines + 1] = ('%s %-8s  %4s  %-24s  %s%s'):format(
        sign,
        session.runId:sub(-8),
        steering.ago(session.createdAt),
        state,
        one_line(session.task),
        note ~= '' and '  · ' .. note or ''
      )
      ids[#lines] = session.runId
    end
    local resting = { done = true, approved = true, failed = true, stopped = true }
    -- what works and waits comes first
    for _, ended in ipairs({ false, true }) do
      for _, session in ipairs(sessions) do
        if (resting[session.status] or false) == ended then
          add(session)
        end
      end
    end
    if #sessions == 0 then
      lines = { 'There are no runs in this project yet.' }
    end
    if again then
      local bufnr = shown_runs.bufnr
      local window = vim.fn.bufwinid(bufnr)
      local row = vim.api.nvim_win_get_cursor(window)[1]
      local id = shown_runs.ids[row]
      vim.bo[bufnr].modifiable = true
      vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
      vim.bo[bufnr].modifiable = false
      shown_runs.ids = ids
      for line, other in pairs(ids) do
        if other == id then
          row = line
        end
      end
      vim.api.nvim_win_set_cursor(window, { math.min(row, #lines), 0 })
      return
    end
    local bufnr, window = scratch('sessions', lines)
    shown_runs = { bufnr = bufnr, ids = ids }
    if #sessions > 0 then
      vim.api.nvim_win_set_cursor(window, { 3, 0 })
    end
    local function under_cursor()
      return shown_runs.ids[vim.api.nvim_win_get_cursor(0)[1]]
    end
    local function map(key, what, action)
      vim.keymap.set('n', key, function()
        local id = under_cursor()
        if id then
          action(id)
        end
      end, { buffer = bufnr, nowait = true, desc = what })
    end
    map('<CR>', 'Show what the run does', show_events)
    map('u', 'Take the run back', function(id)
      control('assist.undo', id)
    end)
    steer_keys(bufnr, under_cursor)
  end)
end

--- The list of runs.
function M.show_runs()
  show_sessions()
end

runs.listen(function()
  if drawing or not (shown_log or shown_runs) then
    return
  end
  drawing = true
  vim.defer_fn(function()
    drawing = false
    if shown_log and vim.fn.bufwinid(shown_log.bufnr) ~= -1 then
      shown_log.draw()
    end
    if shown_runs and vim.fn.bufwinid(shown_runs.bufnr) ~= -1 then
      show_sessions(true)
    end
  end, 150)
end)

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
  pause = function(id)
    steering.pick('Pause', id, runs.is_live, function(run, full)
      steering.send('assist.pause', run, full)
    end)
  end,
  stop = function(id)
    -- one that rests is stopped by its id
    steering.pick('Stop', id, runs.is_live, function(run, full)
      steering.send('assist.cancel', run, full)
    end)
  end,
  later = function(id)
    steering.pick('Leave', id, steering.rests, function(run, full)
      steering.send('assist.later', run, full)
    end)
  end,
  follow = function(id)
    steering.pick('Follow', id, steering.live_or_rests, function(run, full)
      show_events(run and run.id or full)
    end)
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
    steering.pick('Resume', id, steering.rests, function(run, full)
      steering.send('assist.resume', run, full)
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
  adopt = function()
    steering.send('assist.adopt')
  end,
  new = function()
    require('assist.ask').forget()
    vim.notify('The next question begins a new conversation.', vim.log.levels.INFO, { title = 'Assist' })
  end,
}

controls.cancel = controls.stop
controls.runs = controls.sessions

--- Verbs that never take a run.
local bare = { runs = true, sessions = true, status = true, restart = true, key = true, new = true, adopt = true }

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
  -- "tell me how this works" is a question, and so is everything while there is no run to tell it to
  if first == 'tell' and not rest:match('^me%f[%W]') and runs.newest(steering.live_or_rests) then
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
  elseif verb == 'tell' then
    steering.tell(rest)
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
    local steers = { pause = runs.is_live, stop = runs.is_live, cancel = runs.is_live, resume = steering.rests, later = steering.rests }
    for _, run in ipairs(runs.all()) do
      if run.id and (not steers[verb] or steers[verb](run)) then
        words[#words + 1] = run.id
      end
    end
  elseif not before:match('%s') then
    words = vim.tbl_keys(intents)
    vim.list_extend(words, vim.tbl_keys(controls))
    vim.list_extend(words, { 'answer', 'tell' })
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
  elseif verb == 'tell' then
    steering.tell('')
  elseif controls[verb] then
    controls[verb]()
  else
    require('assist.ask').about(verb, nil, range)
  end
end

return M
