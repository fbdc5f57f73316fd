--- A run's question as a small window that does not take the focus. Unanswered it waits, as does the run.

local config = require('assist.config')

local M = {}

---@class assist.Card
---@field run? assist.Run
---@field question string
---@field detail? string
---@field choices string[] the first means yes, the last means no
---@field reply? fun(choice?: integer) answers the server's own request, nil closes it unanswered
---@field client? integer
---@field asked? boolean `vim.ui.select` was opened for it
---@field offered? table<string, boolean> runs that rest, by id: an offer to go on, in the corner
---@field act? fun(choice: integer) what a choice of an offer does
---@field steps? boolean[] of a plan: which of its steps are to be done
---@field boxes? assist.Box[] of a plan: what can become of its work when it is done

---@class assist.Box
---@field what 'commit'|'push'|'deploy'
---@field label string
---@field needs? string what has to be ticked with it
---@field on boolean

--- Open questions, oldest first; the oldest is shown.
---@type assist.Card[]
local cards = {}

local window, bufnr

--- A question comes before offers.
local function enqueue(card)
  local at = #cards + 1
  while not card.offered and at > 1 and cards[at - 1].offered do
    at = at - 1
  end
  table.insert(cards, at, card)
end
local namespace = vim.api.nvim_create_namespace('assist-card')

local function hide()
  if window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_win_close(window, true)
  end
  window = nil
end

--- Highlights of a diff's lines by their first sign.
local diff_groups = { ['+'] = 'Added', ['-'] = 'Removed', ['@'] = 'AssistHint' }

--- How many steps of a plan are to be done, and of how many.
local function chosen(card)
  local done = #vim.tbl_filter(function(step)
    return step
  end, card.steps)
  return done, #card.steps
end

--- The detail of a card: of a plan without the sentence that its question says already.
local function detail_of(card)
  local detail = vim.trim(card.detail or '')
  local first, rest = detail:match('^([^\n]+)\n\n(.*)$')
  if card.steps and first and vim.startswith(card.question, vim.trim(first)) then
    detail = rest
  end
  return vim.split(detail, '\n', { plain = true })
end

--- Ticks a box or not. What it builds on is ticked with it, and what builds on it goes with it.
local function tick(card, box, on)
  box.on = on
  for _, other in ipairs(card.boxes) do
    if other.on ~= on and (on and other.what == box.needs or not on and other.needs == box.what) then
      tick(card, other, on)
    end
  end
end

--- What is ticked, as `assist.confirm` takes it.
local function ticked(card)
  local ticks = {}
  for _, box in ipairs(card.boxes or {}) do
    ticks[box.what] = box.on or nil
  end
  return ticks
end

--- The choices that are listed: where there are boxes, none for what a box says.
local function listed(card)
  local count = #card.choices
  if card.boxes and #card.boxes > 0 and count > 2 then
    return { 1, count }
  end
  return vim.fn.range(1, count)
end

--- A choice as it is listed: the first one of a plan says how much of it is done.
local function title_of(card, index)
  local title = card.choices[index]:gsub('\n', ' ')
  if card.steps and index == 1 then
    local done, all = chosen(card)
    return done == all and title or ('%s with %d of %d steps'):format(title, done, all)
  end
  return title
end

--- The lines of a card, which of them are choices, which are steps of a plan, which are boxes, the highlights of whole lines, and
--- whether there is a diff.
local function compose(card, width)
  local lines, choices, steps, boxes, marks = {}, {}, {}, {}, {}
  local function add(text, group)
    lines[#lines + 1] = text
    if group then
      marks[#marks + 1] = { #lines - 1, group }
    end
  end
  add(card.question, 'AssistTitle')
  local diff, any_diff = false, false
  if card.steps then
    add('')
  end
  for _, line in ipairs(detail_of(card)) do
    line = line:gsub('\r', '')
    local step = card.steps and tonumber(line:match('^(%d+)%. '))
    if card.boxes and #card.boxes > 0 and line:match('^%- %[ %] ') then
      goto continue -- the boxes below say it
    end
    if step and card.steps[step] ~= nil then
      add((card.steps[step] and '■ ' or '□ ') .. line, not card.steps[step] and 'AssistHint' or nil)
      steps[#lines] = step
    elseif card.steps and line:match('^   %- ') then
      add((line:gsub('^   %- ', '     ')), 'AssistHint')
    elseif line:match('^```') and (diff or line:match('^```diff')) then
      diff = not diff
      any_diff = true
    elseif not diff then
      add(line)
    elseif not line:match('^%-%-%- ') and not line:match('^%+%+%+ ') then
      -- which file it is about is in the question
      add(line, diff_groups[line:sub(1, 1)])
    end
    ::continue::
  end
  if lines[#lines] ~= '' then
    add('')
  end
  for index, box in ipairs(card.boxes or {}) do
    add((box.on and '■ ' or '□ ') .. box.label, not box.on and 'AssistHint' or nil)
    boxes[#lines] = index
  end
  if next(boxes) then
    add('')
  end
  for number, index in ipairs(listed(card)) do
    add((' %d  %s'):format(number, title_of(card, index)), index == 1 and 'AssistYes' or 'AssistNo')
    choices[#lines] = index
  end
  if #card.choices == 0 then
    add(' :Assist answer {text}', 'AssistHint')
  end
  if card.offered then
    add('')
    add(':Assist answer goes here', 'AssistHint')
    return lines, choices, steps, boxes, marks, width, false
  end
  local more = #cards > 1 and (' · %d more after this'):format(#cards - 1) or ''
  if card.steps then
    add(' c  Change it in words', 'AssistNo')
  end
  add('')
  if card.steps then
    local also = next(boxes) and ', ticks a box' or ''
    add(('<Space> leaves a step out or takes it in%s · q decides later'):format(also), 'AssistHint')
  end
  local into = ':Assist answer' .. (card.steps and ' goes here' or '')
  add(':Assist confirm · :Assist decline · ' .. into .. more, 'AssistHint')
  local widest = 30
  for _, line in ipairs(lines) do
    widest = math.max(widest, vim.api.nvim_strwidth(line) + 2)
  end
  return lines, choices, steps, boxes, marks, math.min(widest, width), any_diff
end

--- Leaves the step in the cursor's line out, or takes it in again; ticks the box there, or not.
local function toggle()
  local card = cards[1]
  local line = vim.api.nvim_win_get_cursor(0)[1]
  local step = card and card.steps and vim.b[bufnr].assist_steps[tostring(line)]
  local box = card and card.boxes and card.boxes[vim.b[bufnr].assist_boxes[tostring(line)]]
  if step or box then
    if box then
      tick(card, box, not box.on)
    else
      card.steps[step] = not card.steps[step]
    end
    M.draw()
    vim.api.nvim_win_set_cursor(0, { line, 0 })
  end
end

--- Asks how the plan shall be otherwise.
local function change()
  local card = cards[1]
  if card and card.steps then
    vim.ui.input({ prompt = 'What should be different? ' }, function(words)
      if words and vim.trim(words) ~= '' then
        M.choose(words, card)
      end
    end)
  end
end

--- Shows the oldest question, or nothing.
function M.draw()
  local card = cards[1]
  if not card or config.options.questions == 'select' then
    return hide()
  end
  local widest = math.min(card.offered and 46 or 100, vim.o.columns - 6)
  local lines, choices, steps, boxes, marks, width, diff = compose(card, math.max(30, widest))
  if not (bufnr and vim.api.nvim_buf_is_valid(bufnr)) then
    bufnr = vim.api.nvim_create_buf(false, true)
    vim.bo[bufnr].bufhidden = 'hide'
    local function map(key, action, what)
      vim.keymap.set('n', key, action, { buffer = bufnr, nowait = true, desc = what })
    end
    map('q', function() M.dismiss() end, 'Leave the question open')
    map('<Esc>', function() M.dismiss() end, 'Leave the question open')
    map('<CR>', function()
      local line = vim.api.nvim_win_get_cursor(0)[1]
      M.choose(vim.b[bufnr].assist_choices[tostring(line)])
    end, 'Choose')
    map('<Space>', toggle, 'Leave the step out, or take it in; tick the box')
    map('c', change, 'Change the plan in words')
    for digit = 1, 9 do
      map(tostring(digit), function()
        M.choose(cards[1] and listed(cards[1])[digit])
      end, 'Choose ' .. digit)
    end
  end
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  if diff then
    pcall(vim.treesitter.stop, bufnr)
  else
    pcall(vim.treesitter.start, bufnr, 'markdown')
  end
  local function by_line(list)
    local found = vim.empty_dict()
    for line, index in pairs(list) do
      found[tostring(line)] = index
    end
    return found
  end
  vim.b[bufnr].assist_choices = by_line(choices)
  vim.b[bufnr].assist_steps = by_line(steps)
  vim.b[bufnr].assist_boxes = by_line(boxes)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  for _, mark in ipairs(marks) do
    vim.api.nvim_buf_set_extmark(bufnr, namespace, mark[1], 0, { line_hl_group = mark[2] })
  end
  local height = math.min(#lines, math.max(6, math.floor(vim.o.lines * 0.7)))
  local shape = {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((vim.o.lines - height) / 3) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - 1),
    border = 'rounded',
    title = card.offered and ' Assist ' or ' Assist asks ',
    style = 'minimal',
    zindex = 60,
  }
  if card.offered then
    -- out of the way: at the top right, where no text is as a rule
    local rows = 0
    for _, line in ipairs(lines) do
      rows = rows + math.max(1, math.ceil(vim.api.nvim_strwidth(line) / width))
    end
    shape.height = math.min(rows, vim.o.lines - 4)
    shape.row = (vim.o.showtabline == 2 or vim.o.showtabline == 1 and #vim.api.nvim_list_tabpages() > 1) and 1 or 0
    shape.col = math.max(0, vim.o.columns - width - 2)
  end
  if window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_win_set_config(window, shape)
  else
    shape.noautocmd = true
    window = vim.api.nvim_open_win(bufnr, false, shape)
    vim.wo[window].wrap = true
    vim.wo[window].linebreak = true
    vim.wo[window].cursorline = true
    vim.wo[window].conceallevel = 2
    vim.wo[window].concealcursor = 'n'
    vim.wo[window].statuscolumn = ' '
    vim.wo[window].winhighlight = 'NormalFloat:AssistFloat,FloatBorder:AssistBorder,CursorLine:Visual'
  end
  local first = vim.iter(pairs(choices)):fold(#lines, function(least, line)
    return math.min(least, line)
  end)
  vim.api.nvim_win_set_cursor(window, { first, 0 })
  if height < #lines then
    -- a long diff: begin at its top, the choices are below
    vim.api.nvim_win_set_cursor(window, { 1, 0 })
  end
end

local function remove(card)
  for index, other in ipairs(cards) do
    if other == card then
      table.remove(cards, index)
      break
    end
  end
  M.draw()
end

local function select(card)
  card.asked = true
  local prompt = card.question .. (#card.choices > 0 and ' ' or ': ')
  if #card.choices == 0 then
    vim.ui.input({ prompt = prompt }, function(words)
      if words and words ~= '' then
        M.choose(words, card)
      else
        M.dismiss(card)
      end
    end)
    return
  end
  vim.ui.select(card.choices, { prompt = prompt, kind = 'assist' }, function(_, index)
    if index then
      M.choose(index, card)
    else
      M.dismiss(card)
    end
  end)
end

local function show(card)
  M.draw()
  if config.options.questions == 'select' and not card.asked then
    vim.schedule(function()
      select(card)
    end)
  end
end

local function execute(card, command, argument)
  local client = vim.lsp.get_client_by_id(card.run.client)
  if client then
    argument.runId = card.run.id
    require('assist.client').execute(client, command, argument, function(err)
      if err then
        require('assist.ask').report(err)
      end
    end)
  end
end

--- Answers a card.
---@param choice? integer|string the number of a choice, or words
---@param card? assist.Card the one that is shown when nil
function M.choose(choice, card)
  card = card or cards[1]
  if not card or not choice or type(choice) == 'number' and not card.choices[choice] then
    return
  end
  -- a plan's choice in the middle begins it, too, and says itself what then
  local between = card.steps ~= nil and type(choice) == 'number' and choice > 1 and choice < #card.choices
  local starts = choice == 1 or between
  local ticks = choice == 1 and ticked(card) or {}
  for _, what in ipairs(between and { 'commit', 'push', 'deploy' } or {}) do
    ticks[what] = card.choices[choice]:find(what, 1, true) ~= nil or nil
  end
  if starts and card.steps and chosen(card) == 0 then
    return require('assist.client').say('No step is left: take one in, or say no to the plan.')
  end
  if card.offered and type(choice) == 'string' then
    return
  end
  local reply = card.reply
  card.reply = nil
  remove(card)
  if card.act then
    return card.act(choice --[[@as integer]])
  end
  local done, all = 0, 0
  if card.steps then
    done, all = chosen(card)
  end
  local some = starts and (done < all or choice == 1 and next(ticks) ~= nil)
  if reply and type(choice) == 'number' and not some then
    reply(choice)
    return
  end
  if reply then
    reply(nil)
  end
  if not card.run or not card.run.id then
    return
  end
  if type(choice) == 'string' then
    execute(card, 'assist.answer', { text = choice })
  elseif some then
    ticks.steps = done < all and vim.tbl_filter(function(step)
      return card.steps[step]
    end, vim.fn.range(1, all)) or nil
    execute(card, 'assist.confirm', ticks)
  elseif choice == 1 then
    execute(card, 'assist.confirm', {})
  elseif choice == #card.choices then
    execute(card, 'assist.decline', {})
  else
    execute(card, 'assist.answer', { text = card.choices[choice] })
  end
end

--- Puts a card away. Its run waits on, for `:Assist confirm` or `:Assist decline`.
---@param card? assist.Card
function M.dismiss(card)
  card = card or cards[1]
  if not card or not vim.tbl_contains(cards, card) then
    return
  end
  local reply = card.reply
  card.reply = nil
  remove(card)
  if reply then
    reply(nil)
  end
end

--- Goes into the card, or asks with a list when cards are not shown as windows.
---@return boolean whether there is a question
function M.focus()
  if not cards[1] then
    return false
  end
  if #cards[1].choices > 0 and window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_set_current_win(window)
  else
    select(cards[1])
  end
  return true
end

---@param run? assist.Run
---@return assist.Card?
function M.open(run)
  for _, card in ipairs(cards) do
    if not run or card.run == run then
      return card
    end
  end
  return nil
end

--- What can become of a plan's work when it is done, none of it ticked.
---@return assist.Box[]
local function offered(data)
  local boxes = {}
  for _, what in ipairs({ 'commit', 'push', 'deploy' }) do
    local offer = type(data[what]) == 'table' and data[what] or {}
    if type(offer.label) == 'string' then
      local needs = what == 'push' and 'commit' or what == 'deploy' and offer.needsPush == true and 'push' or nil
      boxes[#boxes + 1] = { what = what, label = (offer.label:gsub('\n', ' ')), needs = needs, on = false }
    end
  end
  return boxes
end

--- A run asks. The request to this client for the same question comes right after.
---@param run assist.Run
---@param data {question: string, detail?: string, choices?: string[], plan?: {steps: table[]}, commit?: table, push?: table, deploy?: table}
function M.requested(run, data)
  local planned = type(data.plan) == 'table' and type(data.plan.steps) == 'table' and data.plan.steps or nil
  run.planned = run.planned or planned ~= nil
  local card = {
    run = run,
    client = run.client,
    question = tostring(data.question or ''):gsub('\n', ' '),
    detail = type(data.detail) == 'string' and data.detail or nil,
    choices = type(data.choices) == 'table' and data.choices or {},
    steps = planned and vim.tbl_map(function()
      return true
    end, planned),
    boxes = planned and offered(data),
  }
  enqueue(card)
  show(card)
end

--- A run goes on or has ended: its question is answered.
---@param id? string
function M.settled(id)
  for _, card in ipairs(vim.list_slice(cards)) do
    if card.run and card.run.id == id and id then
      M.dismiss(card)
    end
  end
  if id then
    M.goes_on(id)
  end
end

---@param from assist.Run
---@param to assist.Run
function M.moved(from, to)
  for _, card in ipairs(cards) do
    if card.run == from then
      card.run = to
    end
  end
end

--- Offers to go on with runs that rest. It waits in a corner, takes no focus, and goes when the user begins to type.
---@param client integer
---@param question string
---@param choices string[]
---@param ids string[]
---@param act fun(choice: integer)
function M.offer(client, question, choices, ids, act)
  local card = { client = client, question = question, choices = choices, act = act, offered = {} }
  for _, id in ipairs(ids) do
    card.offered[id] = true
  end
  enqueue(card)
  M.draw()
  vim.api.nvim_create_autocmd('InsertEnter', {
    once = true,
    callback = function()
      vim.schedule(function()
        M.dismiss(card)
      end)
    end,
  })
end

--- A run rests no more: it need not be offered.
---@param id string
function M.goes_on(id)
  for _, card in ipairs(vim.list_slice(cards)) do
    if card.offered and card.offered[id] then
      card.offered[id] = nil
      if next(card.offered) == nil then
        remove(card)
      end
    end
  end
end

---@param id integer
function M.client_ended(id)
  for _, card in ipairs(vim.list_slice(cards)) do
    if card.client == id then
      card.reply = nil
      remove(card)
    end
  end
end

--- Answers `window/showMessageRequest`. It may take as long as the user takes.
function M.message_request(params, ctx)
  local actions = type(params.actions) == 'table' and params.actions or {}
  if #actions == 0 then
    require('assist.client').say(params.message)
    return vim.NIL
  end
  local card
  for _, open in ipairs(cards) do
    local same = open.client == ctx.client_id and not open.reply and #open.choices == #actions
    if same and params.message:find(open.question, 1, true) then
      card = open
    end
  end
  local fresh = not card
  if fresh then
    local question, detail = params.message:match('^([^\n]*)\n*(.*)$')
    card = { client = ctx.client_id, question = question, detail = detail ~= '' and detail or nil }
    card.choices = vim.tbl_map(function(action)
      return action.title
    end, actions)
    enqueue(card)
  end
  local co = coroutine.running()
  card.reply = function(choice)
    vim.schedule(function()
      coroutine.resume(co, choice and actions[choice] or vim.NIL)
    end)
  end
  if fresh then
    show(card)
  end
  return coroutine.yield()
end

return M
