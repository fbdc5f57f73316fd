--- What the user says to runs: pause, stop, go on, words; which one is meant; and runs of other processes, which are followed.

local card = require('assist.card')
local client = require('assist.client')
local runs = require('assist.runs')

local M = {}

local reasons = {
  editor_closed = 'its editor was closed',
  crash = 'it was cut off',
  budget = 'its budget was reached',
  user = 'you asked it to rest',
}

--- How long ago a time was, in milliseconds since 1970.
---@return string
function M.ago(milliseconds)
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

--- How a run stands, in a few words.
---@param run assist.Run
---@return string
function M.words(run)
  local row = run.row or {}
  local owner = not row.here and type(row.owner) == 'string' and row.owner or nil
  local place = owner and (' in ' .. (owner == 'cli' and 'a terminal' or owner)) or ''
  if run.state == 'paused' then
    return 'paused: ' .. (reasons[row.reason] or 'it can go on')
  elseif run.state == 'awaiting_confirmation' then
    return 'asks you' .. place
  elseif run.state == 'pending' or run.state == 'asking' then
    return 'waits for its turn' .. place
  elseif runs.is_live(run) then
    return 'at work' .. place
  end
  return run.state
end

--- A run in one line: what it is about, how it stands, how old it is.
---@param run assist.Run
---@return string
function M.line(run)
  local age = M.ago(run.row and run.row.createdAt or nil)
  return ('%s  (%s%s)'):format(run.title, M.words(run), age ~= '' and ', ' .. age or '')
end

---@param run assist.Run
function M.rests(run)
  return run.state == 'paused'
end

---@param run assist.Run
function M.live_or_rests(run)
  return run.id ~= nil and (runs.is_live(run) or M.rests(run))
end

--- Finds the run that is meant: by the beginning of its id, the only one that fits, or the one that is chosen from a list.
---@param what string what is about to be done, for the list
---@param id? string
---@param fits fun(run: assist.Run): boolean
---@param done fun(run?: assist.Run, id?: string) called at once unless the user must choose
function M.pick(what, id, fits, done)
  if id then
    local run = runs.find(id)
    return done(run, run and run.id or id)
  end
  local fitting = vim.tbl_filter(function(run)
    return run.id ~= nil and fits(run)
  end, runs.all())
  if #fitting == 0 then
    return client.say(fits == M.rests and 'No run is paused here.' or 'Nothing is running.', vim.log.levels.WARN)
  elseif #fitting == 1 then
    return done(fitting[1], fitting[1].id)
  end
  local newest = {}
  for index = #fitting, 1, -1 do
    newest[#newest + 1] = fitting[index]
  end
  vim.ui.select(newest, { prompt = what .. ' which run? ', kind = 'assist', format_item = M.line }, function(run)
    if run then
      done(run, run.id)
    end
  end)
end

--- Sends a command about a run to the server that knows it, or to that of the current buffer.
---@param command string
---@param run? assist.Run
---@param id? string
---@param argument? table
---@param done? fun()
function M.send(command, run, id, argument, done)
  local function send(to)
    client.execute(to, command, vim.tbl_extend('force', { runId = id }, argument or {}), function(err)
      if err then
        require('assist.ask').report(err)
      elseif done then
        done()
      end
    end)
  end
  local connected = run and run.client and vim.lsp.get_client_by_id(run.client)
  if connected then
    return send(connected)
  end
  client.attach(vim.api.nvim_get_current_buf(), function(attached, problem)
    if attached then
      send(attached)
    else
      client.say(problem, vim.log.levels.WARN)
    end
  end)
end

--- Adds words to a run at work, or to one that rests.
---@param words string asked for when empty
---@param id? string
function M.tell(words, id)
  M.pick('Tell', id, M.live_or_rests, function(run, full)
    local function send(said)
      said = vim.trim(said or '')
      if said ~= '' then
        M.send('assist.tell', run, full, { text = said }, function()
          local rests = run and M.rests(run)
          client.say(rests and 'It minds that when it goes on.' or 'Passed on to the run.')
        end)
      end
    end
    if words ~= '' then
      send(words)
    else
      vim.ui.input({ prompt = 'Tell the run: ' }, send)
    end
  end)
end

--- Has a run that works in another process told here as well.
---@param run assist.Run
function M.follow(run)
  local connected = run.client and vim.lsp.get_client_by_id(run.client)
  if run.followed or not connected or not runs.is_live(run) or not run.row or run.row.here then
    return
  end
  runs.replay(run)
  client.request(connected, 'assist/attach', { runId = run.id, from = run.seq + 1 }, function(err, result)
    if err then
      require('assist.ask').report(err)
    end
    local following = type(result) == 'table' and result.following == true
    runs.replay_until(run, following and tonumber(result.last) or 0)
  end)
end

--- Offers, once, to go on with what rests.
---@param id integer the client
---@param rows table[] newest first
function M.offer(id, rows)
  local newest = rows[1]
  if not newest then
    return
  end
  local title = tostring(newest.task):gsub('%s+', ' ')
  if vim.fn.strchars(title) > 60 then
    title = vim.fn.strcharpart(title, 0, 59) .. '…'
  end
  local question = ('“%s” is paused: %s.'):format(title, reasons[newest.reason] or 'it can go on')
  if #rows > 1 then
    question = ('%d runs are paused here, the newest: “%s”.'):format(#rows, title)
  end
  local options = require('assist.config').options
  if options.questions == 'select' then
    -- a list would hold up all typing
    return client.say(question .. ' `:Assist resume` goes on, `:Assist later` leaves it.')
  end
  local ids = vim.tbl_map(function(row)
    return row.runId
  end, rows)
  local function offered(run)
    return M.rests(run) and vim.tbl_contains(ids, run.id)
  end
  card.offer(id, question, { 'Resume', 'Show', 'Not now' }, ids, function(choice)
    if choice == 1 then
      M.pick('Resume', nil, offered, function(run, full)
        M.send('assist.resume', run, full)
      end)
    elseif choice == 2 then
      require('assist.commands').show_runs()
    else
      for _, run in ipairs(vim.tbl_filter(offered, runs.all())) do
        M.send('assist.later', run, run.id)
      end
    end
  end)
end

return M
