--- Answers in words: one Markdown buffer, `assist://answer`, a section a question, growing as the words arrive.

local config = require('assist.config')

local M = {}

local NAME = 'assist://answer'
local namespace = vim.api.nvim_create_namespace('assist-answer')

--- Words before code are often one sentence. An answer to a request that may end in code gets a window only when it is longer.
local WORTH_A_WINDOW = 240

--- Characters of a question that make the heading of its answer.
local MAX_HEADING = 100

---@class assist.Message
---@field have string the text without gaps
---@field later {offset: integer, text: string}[] what came before its turn
---@field written integer bytes of `have` that are in the buffer

---@class assist.Section
---@field run assist.Run
---@field messages table<string, assist.Message>
---@field order string[]
---@field mark? integer extmark at the section's end
---@field shown boolean a window was opened for it
---@type table<assist.Run, assist.Section>
local sections = {}

local dirty = {}
local scheduled = false

---@type integer?
local bufnr_of_answers

local function buffer()
  local bufnr = bufnr_of_answers
  if bufnr and vim.api.nvim_buf_is_valid(bufnr) and vim.api.nvim_buf_is_loaded(bufnr) then
    return bufnr
  end
  if bufnr and vim.api.nvim_buf_is_valid(bufnr) then
    vim.fn.bufload(bufnr)
  else
    bufnr = vim.api.nvim_create_buf(false, true)
    bufnr_of_answers = bufnr
    vim.api.nvim_buf_set_name(bufnr, NAME)
  end
  vim.bo[bufnr].buftype = 'nofile'
  vim.bo[bufnr].bufhidden = 'hide'
  vim.bo[bufnr].swapfile = false
  vim.bo[bufnr].undolevels = -1
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].filetype = 'markdown'
  pcall(vim.treesitter.start, bufnr, 'markdown')
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, desc = 'Close the answer' })
  return bufnr
end
M.buffer = buffer

local function windows(bufnr)
  return vim.fn.win_findbuf(bufnr)
end

--- Windows that stand at the end stay at the end.
local function following(bufnr)
  local last = vim.api.nvim_buf_line_count(bufnr)
  return vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_cursor(window)[1] >= last
  end, windows(bufnr))
end

local function insert(bufnr, row, column, text)
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_text(bufnr, row, column, row, column, vim.split(text, '\n', { plain = true }))
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].modified = false
end

local function heading(run)
  local place = ''
  if run.bufnr and vim.api.nvim_buf_is_valid(run.bufnr) then
    local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(run.bufnr), ':~:.')
    place = name ~= '' and (' · `%s`'):format(name) or ''
  end
  local title = run.title
  if vim.fn.strchars(title) > MAX_HEADING then
    title = vim.fn.strcharpart(title, 0, MAX_HEADING - 1) .. '…'
  end
  return ('## %s%s\n\n'):format(title, place)
end

local function start(section, bufnr)
  local lines = vim.api.nvim_buf_line_count(bufnr)
  local last = vim.api.nvim_buf_get_lines(bufnr, -2, -1, false)[1]
  local empty = lines == 1 and last == ''
  insert(bufnr, lines - 1, #last, (empty and '' or '\n\n') .. heading(section.run))
  lines = vim.api.nvim_buf_line_count(bufnr)
  -- What is put in at the mark may be the next section: only `render` moves it on.
  section.mark = vim.api.nvim_buf_set_extmark(bufnr, namespace, lines - 1, 0, { right_gravity = false })
end

--- Writes what has arrived and is not in the buffer yet.
local function render(section)
  local bufnr = buffer()
  local followers = following(bufnr)
  local at = section.mark and vim.api.nvim_buf_get_extmark_by_id(bufnr, namespace, section.mark, {})
  if not at or not at[1] then
    start(section, bufnr)
    for _, message in pairs(section.messages) do
      message.written = 0
    end
  end
  for index, id in ipairs(section.order) do
    local message = section.messages[id]
    if message.written < #message.have then
      at = vim.api.nvim_buf_get_extmark_by_id(bufnr, namespace, section.mark, {})
      local new = message.have:sub(message.written + 1)
      if message.written == 0 and index > 1 then
        new = '\n\n' .. new
      end
      message.written = #message.have
      new = new:gsub('\r', '')
      insert(bufnr, at[1], at[2], new)
      local rows = select(2, new:gsub('\n', '\n'))
      local tail = #new:match('[^\n]*$')
      local column = rows == 0 and at[2] + tail or tail
      local moved = { id = section.mark, right_gravity = false }
      vim.api.nvim_buf_set_extmark(bufnr, namespace, at[1] + rows, column, moved)
    end
  end
  local last = vim.api.nvim_buf_line_count(bufnr)
  for _, window in ipairs(followers) do
    if vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_win_set_cursor(window, { last, 0 })
    end
  end
end

local function schedule(section)
  dirty[section] = true
  if scheduled then
    return
  end
  scheduled = true
  -- a stream may bring hundreds of pieces a second
  vim.defer_fn(function()
    scheduled = false
    local now = dirty
    dirty = {}
    for each in pairs(now) do
      render(each)
    end
  end, 30)
end

--- Shows the buffer without leaving the window that the user is in.
---@param enter? boolean
function M.open(enter)
  local bufnr = buffer()
  local shown = vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage()
  end, windows(bufnr))[1]
  if shown then
    if enter then
      vim.api.nvim_set_current_win(shown)
    end
    return
  end
  local how = config.options.answer
  if how == 'auto' or how == false then
    how = vim.o.columns >= 140 and 'vsplit' or 'split'
  end
  local shape
  if how == 'float' then
    local width = math.min(88, vim.o.columns - 8)
    local height = math.max(6, math.floor(vim.o.lines * 0.6))
    shape = {
      relative = 'editor',
      width = width,
      height = height,
      row = math.floor((vim.o.lines - height) / 2) - 1,
      col = math.floor((vim.o.columns - width) / 2),
      border = 'rounded',
      title = ' Assist ',
      style = 'minimal',
    }
  elseif how == 'vsplit' then
    shape = { split = 'right', win = -1, width = math.min(88, math.floor(vim.o.columns * 0.45)) }
  else
    shape = { split = 'below', win = -1, height = math.min(16, math.max(6, math.floor(vim.o.lines * 0.35))) }
  end
  local window = vim.api.nvim_open_win(bufnr, enter or false, shape)
  local options = {
    wrap = true,
    linebreak = true,
    breakindent = true,
    number = false,
    relativenumber = false,
    signcolumn = 'no',
    foldenable = false,
    conceallevel = 2,
    winfixbuf = true,
  }
  for name, value in pairs(options) do
    vim.api.nvim_set_option_value(name, value, { win = window, scope = 'local' })
  end
  vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(bufnr), 0 })
end

local function length(section)
  local bytes = 0
  for _, message in pairs(section.messages) do
    bytes = bytes + #message.have
  end
  return bytes
end

local function show(section)
  if not section.shown and config.options.answer then
    section.shown = true
    M.open(false)
  end
end

--- Adds a piece of a message. Live pieces may be missing and stored ones bring them again: the offset joins them.
---@param run assist.Run
---@param piece {messageId: string, offset: integer, text: string}
function M.add(run, piece)
  if type(piece.messageId) ~= 'string' or type(piece.offset) ~= 'number' or type(piece.text) ~= 'string' then
    return
  end
  local section = sections[run]
  if not section then
    section = { run = run, messages = {}, order = {}, shown = false }
    sections[run] = section
  end
  local message = section.messages[piece.messageId]
  if not message then
    message = { have = '', later = {}, written = 0 }
    section.messages[piece.messageId] = message
    table.insert(section.order, piece.messageId)
  end
  table.insert(message.later, { offset = piece.offset, text = piece.text })
  local grew = false
  local progress = true
  while progress do
    progress = false
    for index = #message.later, 1, -1 do
      local other = message.later[index]
      if other.offset <= #message.have then
        table.remove(message.later, index)
        local new = other.text:sub(#message.have - other.offset + 1)
        if new ~= '' then
          message.have = message.have .. new
          grew, progress = true, true
        end
      end
    end
  end
  if grew then
    if run.intent == 'explain' or length(section) > WORTH_A_WINDOW then
      show(section)
    end
    schedule(section)
  end
end

--- Two records were one run.
---@param from assist.Run
---@param to assist.Run
function M.moved(from, to)
  if sections[from] then
    sections[to], sections[from] = sections[from], nil
    sections[to].run = to
  end
end

--- The run has ended. Words that came instead of code are what was asked for.
---@param run assist.Run
function M.ended(run)
  local section = sections[run]
  -- what was planned together ends with a report
  if section and length(section) > 0 and (#run.changed == 0 or run.planned) and run.state == 'done' then
    show(section)
  end
end

--- The text of a run's answer, for tests and for scripts.
---@param run assist.Run
---@return string
function M.text(run)
  local section = sections[run]
  if not section then
    return ''
  end
  local parts = {}
  for _, id in ipairs(section.order) do
    parts[#parts + 1] = section.messages[id].have
  end
  return table.concat(parts, '\n\n')
end

return M
