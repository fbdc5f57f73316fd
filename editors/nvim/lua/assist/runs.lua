--- What this Neovim knows of runs: made from the server's events and, of those that work elsewhere, its list. Shown by `assist.progress` and `assist.answer`.

local config = require('assist.config')
local documents = require('assist.documents')

local M = {}

---@class assist.Run
---@field id? string nil until the server has given one
---@field client? integer
---@field bufnr? integer the buffer that it is about
---@field intent string
---@field title string what was asked, in a few words
---@field prompt? string
---@field state "asking"|"pending"|"running"|"awaiting_confirmation"|"paused"|"done"|"failed"|"stopped"
---@field doing? string what it does now
---@field component? string
---@field parts {name: string, path?: string, applied: boolean, why?: string}[]
---@field percent? number
---@field began integer milliseconds of the loop's clock
---@field ended? integer
---@field summary? string
---@field changed string[]
---@field mark? integer extmark of what it works on
---@field row? table what the server's list says of it, while it has not ended
---@field heard integer when its last event was told, in milliseconds since 1970; 0 where none was
---@field seq integer the number of that event
---@field followed? boolean it works elsewhere and is watched here
---@field replaying? number what had happened is told again, up to the event of this number
---@field asked? table the question that is open while that goes on

--- All runs of this session, oldest first.
---@type assist.Run[]
local runs = {}

--- Called after a run changed.
---@type fun(run: assist.Run)[]
local listeners = {}

local namespace = vim.api.nvim_create_namespace('assist-target')
M.namespace = namespace

local names = {
  ask = 'Ask',
  rewrite = 'Rewrite',
  build = 'Build',
  fix = 'Fix',
  explain = 'Explain',
  test = 'Add tests',
  document = 'Document',
}

local resting = { paused = true, done = true, failed = true, stopped = true, approved = true }

---@param listener fun(run: assist.Run)
function M.listen(listener)
  listeners[#listeners + 1] = listener
end

local function changed(run)
  for _, listener in ipairs(listeners) do
    listener(run)
  end
end

local function now()
  return vim.uv.now()
end

---@param run assist.Run
---@return boolean
function M.is_live(run)
  return not resting[run.state]
end

---@return assist.Run[]
function M.all()
  return runs
end

---@param id string the whole id, or its beginning
---@return assist.Run?
function M.find(id)
  local found
  for _, run in ipairs(runs) do
    if run.id == id then
      return run
    end
    if run.id and vim.startswith(run.id, id) then
      found = run
    end
  end
  return found
end

--- The newest run that fits.
---@param fits? fun(run: assist.Run): boolean
---@return assist.Run?
function M.newest(fits)
  for index = #runs, 1, -1 do
    if not fits or fits(runs[index]) then
      return runs[index]
    end
  end
  return nil
end

--- A run that is about to be asked for.
---@param about {bufnr?: integer, intent: string, prompt?: string, mark?: integer}
---@return assist.Run
function M.begin(about)
  local first_line = (about.prompt or ''):match('^%s*([^\n]*)')
  local run = {
    bufnr = about.bufnr,
    intent = about.intent,
    prompt = about.prompt,
    mark = about.mark,
    title = first_line ~= '' and first_line or names[about.intent] or 'Run',
    state = 'asking',
    doing = 'Asking',
    parts = {},
    changed = {},
    began = now(),
    heard = 0,
    seq = 0,
  }
  runs[#runs + 1] = run
  changed(run)
  return run
end

local function clear_mark(run)
  if run.mark and run.bufnr and vim.api.nvim_buf_is_valid(run.bufnr) then
    vim.api.nvim_buf_del_extmark(run.bufnr, namespace, run.mark)
  end
  run.mark = nil
end

--- A run that did not come to be.
---@param run assist.Run
function M.abandon(run)
  clear_mark(run)
  for index, other in ipairs(runs) do
    if other == run then
      table.remove(runs, index)
      break
    end
  end
  run.state = 'stopped'
  changed(run)
end

--- The server has accepted a run. Its first events may have come before.
---@param run assist.Run
---@param id string
---@param client integer
function M.accepted(run, id, client)
  local early = M.find(id)
  if early and early ~= run then
    for index, other in ipairs(runs) do
      if other == early then
        table.remove(runs, index)
        break
      end
    end
    for _, field in ipairs({ 'state', 'doing', 'component', 'parts', 'percent', 'ended', 'summary', 'changed', 'heard', 'seq', 'row' }) do
      run[field] = early[field]
    end
    require('assist.answer').moved(early, run)
    require('assist.card').moved(early, run)
  elseif run.state == 'asking' then
    run.state = 'pending'
  end
  run.id, run.client = id, client
  if not M.is_live(run) then
    clear_mark(run)
  end
  changed(run)
end

local function known(id, client)
  local run = M.find(id)
  if not run then
    run = M.begin({ intent = 'run' })
    run.id, run.client, run.state = id, client, 'running'
  end
  return run
end

local function part(run, data)
  for _, existing in ipairs(run.parts) do
    if existing.name == data.component and existing.path == data.path then
      return existing
    end
  end
  local new = { name = data.component, path = data.path, applied = false }
  run.parts[#run.parts + 1] = new
  return new
end

local function text(value)
  return type(value) == 'string' and value ~= '' and value or nil
end

--- What each kind of event changes.
---@type table<string, fun(run: assist.Run, data: table)>
local kinds = {
  agent_started = function(run, data)
    run.component = text(data.component) or run.component
    run.doing = text(data.component) and 'Writing ' .. data.component or 'Thinking'
  end,
  agent_failed = function(run, data)
    run.doing = text(data.reason) or run.doing
  end,
  status = function(run, data)
    run.doing = text(data.message) or run.doing
    run.percent = type(data.percent) == 'number' and data.percent or run.percent
    if text(data.state) then
      run.state = data.state
      if data.state == 'paused' then
        run.ended = now()
        run.summary = text(data.message) or 'Paused; `:Assist resume` goes on with it.'
      end
      if data.state ~= 'awaiting_confirmation' then
        run.asked = nil
        require('assist.card').settled(run.id)
      end
    end
  end,
  component_verified = function(run, data)
    run.doing = 'Checked ' .. tostring(data.component)
  end,
  component_applied = function(run, data)
    local done = part(run, data)
    done.applied, done.why = true, nil
    run.component = nil
    run.doing = 'Applied ' .. tostring(data.component)
  end,
  component_refused = function(run, data)
    local refused = part(run, data)
    refused.applied = false
    local reasons = type(data.reasons) == 'table' and data.reasons or {}
    refused.why = text(reasons[1]) or text(data.verdict)
    run.component = nil
    run.doing = 'Not applied: ' .. tostring(data.component)
  end,
  truncated = function(run, data)
    local name = text(data.component) or 'The answer'
    run.doing = ('%s was cut off, continuing (try %s)'):format(name, tostring(data.attempt or 1))
  end,
  continued = function(run, data)
    run.doing = 'Continued ' .. (text(data.component) or 'the answer')
  end,
  approval_requested = function(run, data)
    run.doing = text(data.question) or 'Waits for you'
    if run.replaying then
      run.asked = data -- most were answered long ago
    else
      require('assist.card').requested(run, data)
    end
  end,
  text = function(run, data)
    require('assist.answer').add(run, data)
  end,
  command = function(run, data)
    local output = data.state == 'output' and text(data.text)
    if data.state == 'started' then
      run.doing = 'Running ' .. tostring(data.command)
    elseif output then
      run.doing = output:match('([^\n]*%S[^\n]*)%s*$') or run.doing
    end
  end,
  completed = function(run, data)
    run.state = text(data.state) or 'done'
    run.summary = text(data.summary)
    run.changed = type(data.changedFiles) == 'table' and data.changedFiles or {}
    require('assist.answer').ended(run)
  end,
}

--- What is told again comes to its end: from here on it is news.
local function settle(run)
  if run.replaying and run.seq >= run.replaying then
    run.replaying = nil
    if run.asked then
      local asked = run.asked
      run.asked = nil
      require('assist.card').requested(run, asked)
    end
  end
  if not run.replaying and not M.is_live(run) then
    run.followed = nil
  end
end

--- A run of another process is followed: what had happened is about to be told again.
---@param run assist.Run
function M.replay(run)
  run.followed, run.replaying = true, math.huge
end

--- What is told again ends with the event of this number.
---@param run assist.Run
---@param last integer
function M.replay_until(run, last)
  run.replaying = last
  settle(run)
  changed(run)
end

--- Whether it works in another process, and only the server's list tells of it.
---@param run assist.Run
---@return boolean
function M.is_elsewhere(run)
  return run.row ~= nil and not run.row.here and run.heard == 0
end

--- Takes an `assist/runs` or `assist/resting` notification: the runs that have not ended. Of what it says and what events said the
--- newer counts.
---@param client integer
---@param rows table[]
---@param all boolean whether runs that are not among them have ended
function M.list(client, rows, all)
  local present = {}
  for index = #rows, 1, -1 do -- the newest comes first
    local row = rows[index]
    local run = M.find(row.runId)
    if not run then
      run = M.begin({ intent = 'run', prompt = row.task })
      run.id, run.client = row.runId, client
    end
    run.row = row
    present[row.runId] = true
    if run.intent == 'run' and text(row.task) then
      run.title = row.task:match('^%s*([^\n]*)')
    end
    if (tonumber(row.updatedAt) or 0) > run.heard and run.state ~= row.status then
      run.state = row.status
      if M.is_live(run) then
        run.ended = nil
      else
        run.ended = 0 -- not here, and not now
      end
    end
    if run.state ~= 'paused' then
      require('assist.card').goes_on(run.id)
    end
    changed(run)
  end
  if not all then
    return
  end
  for _, run in ipairs(vim.list_slice(runs)) do
    if run.client == client and run.row and not present[run.id] then
      run.row = nil
      require('assist.card').goes_on(run.id)
      if run.heard == 0 then
        M.abandon(run)
      elseif run.state == 'paused' then
        run.state = 'stopped'
        changed(run)
      end
    end
  end
end

--- Takes an `assist/event` notification.
---@param client integer
---@param event table
function M.event(client, event)
  if type(event) ~= 'table' or type(event.run) ~= 'string' then
    return
  end
  local run = known(event.run, client)
  run.seq = math.max(run.seq, tonumber(event.seq) or 0)
  run.heard = math.max(run.heard, tonumber(event.ts) or 0, 1)
  local kind = kinds[event.type]
  if kind then
    kind(run, type(event.data) == 'table' and event.data or {})
  end
  if not M.is_live(run) then
    run.ended = run.ended or now()
    clear_mark(run)
  end
  settle(run)
  changed(run)
  if config.options.on_event then
    local ok, problem = pcall(config.options.on_event, event)
    if not ok then
      vim.notify_once('assist: on_event failed: ' .. tostring(problem), vim.log.levels.WARN)
    end
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'AssistEvent', modeline = false, data = event })
end

--- Takes an `assist/delta` notification.
---@param client integer
---@param delta table
function M.delta(client, delta)
  if type(delta) == 'table' and type(delta.run) == 'string' then
    require('assist.answer').add(known(delta.run, client), delta)
  end
end

--- An edit was refused here; the server decides what to do.
---@param client integer
---@param why string
function M.refused_edit(client, why)
  local run = M.newest(function(run)
    return run.client == client and M.is_live(run)
  end)
  if run then
    run.doing = why
    changed(run)
  end
end

--- The server has gone. Its runs are paused in the database; here nobody will tell their end.
---@param client integer
function M.client_ended(client)
  for _, run in ipairs(vim.list_slice(runs)) do
    if run.client == client and M.is_live(run) then
      run.state, run.ended = 'paused', now()
      run.summary = 'The server has stopped; `:Assist resume` goes on with it.'
      clear_mark(run)
      changed(run)
    end
  end
end

--- Marks what a run is about, so that its place is known while the user goes on typing.
---@param bufnr integer
---@param range assist.Range
---@param group string highlight
---@param id? integer a mark that is there already
---@return integer
function M.mark(bufnr, range, group, id)
  return vim.api.nvim_buf_set_extmark(bufnr, namespace, range[1], range[2], {
    id = id,
    end_row = range[3],
    end_col = range[4],
    end_right_gravity = false,
    hl_group = group,
    hl_eol = true,
    priority = 60,
  })
end

--- Where a mark is now.
---@param bufnr integer
---@param mark integer
---@return assist.Range?
function M.marked(bufnr, mark)
  if not documents.is_text(bufnr) then
    return nil
  end
  local found = vim.api.nvim_buf_get_extmark_by_id(bufnr, namespace, mark, { details = true })
  if not found[1] then
    return nil
  end
  return { found[1], found[2], found[3].end_row, found[3].end_col }
end

return M
