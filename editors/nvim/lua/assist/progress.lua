--- What runs are doing, where it is seen without being in the way: a small window at the bottom right that cannot be entered, a word
--- beside the lines that a run works on, and a string for the status line.

local config = require('assist.config')
local runs = require('assist.runs')

local M = {}

local FRAMES = { '⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏' }
local INTERVAL = 100
local MIN_WIDTH, MAX_WIDTH = 36, 60
--- How many finished parts of a run are listed.
local MAX_PARTS = 5

local namespace = vim.api.nvim_create_namespace('assist-progress')
local beside = vim.api.nvim_create_namespace('assist-beside')
local window, bufnr, timer
local frame = 1
--- How wide the window has been since it opened: it grows, but does not twitch.
local grown = MIN_WIDTH

local function cut(text, width)
  text = text:gsub('%s+', ' ')
  if vim.api.nvim_strwidth(text) <= width then
    return text
  end
  local kept = vim.fn.strcharpart(text, 0, width - 1)
  while vim.api.nvim_strwidth(kept) > width - 1 do
    kept = vim.fn.strcharpart(kept, 0, vim.fn.strchars(kept) - 1)
  end
  return kept .. '…'
end

local function seconds(run)
  local total = math.floor(((run.ended or vim.uv.now()) - run.began) / 1000)
  return total < 60 and ('%ds'):format(total) or ('%d:%02d'):format(math.floor(total / 60), total % 60)
end

local function sign(run)
  if run.state == 'awaiting_confirmation' then
    return '?', 'AssistAsks'
  elseif runs.is_live(run) then
    return FRAMES[frame], 'AssistSpinner'
  elseif run.state == 'done' or run.state == 'approved' then
    return '✓', 'AssistYes'
  elseif run.state == 'failed' then
    return '✗', 'AssistFailed'
  end
  return '■', 'AssistHint'
end

--- Runs that work, and those that ended a moment ago.
local function shown()
  local time = vim.uv.now()
  return vim.tbl_filter(function(run)
    if runs.is_elsewhere(run) then
      return false -- listed by `:Assist runs`
    end
    return runs.is_live(run) or run.ended and time - run.ended < config.options.linger
  end, runs.all())
end

---@alias assist.Piece {[1]: string, [2]: string} words and their highlight

local function width_of(pieces)
  local width = 0
  for _, piece in ipairs(pieces) do
    width = width + vim.api.nvim_strwidth(piece[1])
  end
  return width
end

--- Adds a run's lines. A line's `right` piece is put at the window's right edge.
---@param lines (assist.Piece[]|{right?: assist.Piece})[]
local function describe(lines, run)
  local room = math.min(MAX_WIDTH, vim.o.columns - 4)
  local mark, group = sign(run)
  local clock = seconds(run)
  lines[#lines + 1] = {
    { ' ' .. mark .. ' ', group },
    { cut(run.title, room - #clock - 6), 'AssistTitle' },
    right = { clock .. ' ', 'AssistHint' },
  }
  local first = math.max(1, #run.parts - MAX_PARTS + 1)
  for index = first, #run.parts do
    local part = run.parts[index]
    local why = part.applied and (part.path and vim.fs.basename(part.path)) or part.why or ''
    local name = cut(part.name, math.floor(room / 2))
    lines[#lines + 1] = {
      { part.applied and '   ✓ ' or '   ✗ ', part.applied and 'AssistYes' or 'AssistFailed' },
      { name, 'AssistText' },
      { '  ' .. cut(why, room - vim.api.nvim_strwidth(name) - 8), 'AssistHint' },
    }
  end
  local doing
  if runs.is_live(run) then
    doing = (run.doing or 'Working') .. (run.percent and (' %d%%'):format(run.percent) or '')
  elseif run.summary and (run.state ~= 'done' or #run.parts == 0) then
    doing = run.summary -- what is cut off here was also said as a message
  end
  if doing then
    lines[#lines + 1] = { { '   ' .. cut(doing, room - 4), 'AssistText' } }
  end
end

local function hint(list)
  local live, waits = false, false
  for _, run in ipairs(list) do
    live = live or runs.is_live(run)
    waits = waits or run.state == 'awaiting_confirmation'
  end
  if waits then
    return ':Assist confirm · :Assist decline'
  elseif live then
    return ':Assist cancel · pause · tell'
  end
  local last = list[#list]
  if last.state == 'paused' then
    return ':Assist resume'
  end
  local applied = vim.iter(last.parts):any(function(part)
    return part.applied
  end)
  return applied and ':Assist undo takes it back' or nil
end

local function close()
  if window and vim.api.nvim_win_is_valid(window) then
    pcall(vim.api.nvim_win_close, window, true)
  end
  window = nil
  grown = MIN_WIDTH
end

local function draw(list)
  if not config.options.progress or #list == 0 then
    return close()
  end
  local lines = {}
  for _, run in ipairs(list) do
    describe(lines, run)
  end
  local last = hint(list)
  if last then
    lines[#lines + 1] = { { '   ' .. last .. ' ', 'AssistHint' } }
  end
  local width = grown
  for _, pieces in ipairs(lines) do
    width = math.max(width, width_of(pieces) + (pieces.right and width_of({ pieces.right }) + 2 or 1))
  end
  width = math.max(1, math.min(width, MAX_WIDTH, vim.o.columns - 2))
  grown = width
  for _, pieces in ipairs(lines) do
    if pieces.right then
      local gap = width - width_of(pieces) - width_of({ pieces.right })
      vim.list_extend(pieces, { { (' '):rep(math.max(1, gap)), 'AssistText' }, pieces.right })
    end
  end
  if not (bufnr and vim.api.nvim_buf_is_valid(bufnr)) then
    bufnr = vim.api.nvim_create_buf(false, true)
    vim.bo[bufnr].bufhidden = 'hide'
    vim.bo[bufnr].undolevels = -1
  end
  local plain = vim.tbl_map(function(pieces)
    return table.concat(vim.tbl_map(function(piece)
      return piece[1]
    end, vim.list_slice(pieces)))
  end, lines)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, plain)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  for row, pieces in ipairs(lines) do
    local column = 0
    for _, piece in ipairs(pieces) do
      local finish = column + #piece[1]
      vim.api.nvim_buf_set_extmark(bufnr, namespace, row - 1, column, { end_col = finish, hl_group = piece[2] })
      column = finish
    end
  end
  local below = vim.o.cmdheight + (vim.o.laststatus > 0 and 1 or 0)
  local shape = {
    relative = 'editor',
    anchor = 'SE',
    row = vim.o.lines - below,
    col = vim.o.columns,
    width = width,
    height = math.max(1, math.min(#lines, vim.o.lines - below - 3)),
    border = 'rounded',
    title = ' Assist ',
    title_pos = 'left',
    style = 'minimal',
    focusable = false,
    zindex = 40,
  }
  if window and vim.api.nvim_win_is_valid(window) then
    if vim.api.nvim_win_get_tabpage(window) ~= vim.api.nvim_get_current_tabpage() then
      close()
    else
      vim.api.nvim_win_set_config(window, shape)
      return
    end
  end
  shape.noautocmd = true
  window = vim.api.nvim_open_win(bufnr, false, shape)
  vim.wo[window].wrap = false
  vim.wo[window].winhighlight = 'NormalFloat:AssistFloat,FloatBorder:AssistBorder,FloatTitle:AssistBorder'
end

--- A word beside the first line of what each run works on.
local function annotate(list)
  local seen = {}
  for _, run in ipairs(list) do
    local range = run.mark and run.bufnr and runs.is_live(run) and runs.marked(run.bufnr, run.mark)
    if range then
      local mark, group = sign(run)
      local doing = cut(run.doing or 'Working', 40)
      if not seen[run.bufnr] then
        vim.api.nvim_buf_clear_namespace(run.bufnr, beside, 0, -1)
        seen[run.bufnr] = true
      end
      vim.api.nvim_buf_set_extmark(run.bufnr, beside, range[1], 0, {
        virt_text = { { '  ' .. mark .. ' ', group }, { doing, 'AssistHint' } },
        hl_mode = 'combine',
      })
    end
  end
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if not seen[buffer] and vim.api.nvim_buf_is_loaded(buffer) then
      vim.api.nvim_buf_clear_namespace(buffer, beside, 0, -1)
    end
  end
end

local function stop()
  if timer then
    timer:stop()
    timer:close()
    timer = nil
  end
end

local function tick()
  frame = frame % #FRAMES + 1
  local list = shown()
  local ok = pcall(function()
    annotate(list)
    draw(list)
    vim.cmd.redrawstatus()
  end)
  if #list == 0 then
    stop()
  elseif not ok then
    -- windows cannot be changed now (a command-line window, a completion menu): the next time
    window = window and vim.api.nvim_win_is_valid(window) and window or nil
  end
end

--- Follows a change of any run.
function M.update()
  if not timer then
    timer = assert(vim.uv.new_timer())
    timer:start(0, INTERVAL, vim.schedule_wrap(function()
      if timer then
        tick()
      end
    end))
  end
end

--- One line for a status line; empty when nothing runs.
---@return string
function M.status()
  local live, elsewhere = {}, 0
  for _, run in ipairs(runs.all()) do
    if runs.is_live(run) and runs.is_elsewhere(run) then
      elsewhere = elsewhere + 1
    elseif runs.is_live(run) then
      live[#live + 1] = run
    end
  end
  local run = live[#live]
  if not run then
    return elsewhere > 0 and ('Assist: %d elsewhere'):format(elsewhere) or ''
  end
  local more = #live > 1 and (' (+%d)'):format(#live - 1) or ''
  return ('%s Assist: %s%s'):format((sign(run)), cut(run.doing or run.title, 40), more)
end

--- What the small window shows now, for tests.
---@return string[]
function M.lines()
  if window and vim.api.nvim_win_is_valid(window) then
    return vim.api.nvim_buf_get_lines(bufnr, 0, -1, false)
  end
  return {}
end

return M
