--- Applies the server's edits to open buffers. What Neovim's own handler leaves out: the answer is honest (an edit for another version
--- is refused, and said to be), all documents or none are changed, each edit is one undo step in every mode, and only lines that
--- differ are touched, so that marks, folds, the cursor and the jump list stay where they are.

local documents = require('assist.documents')
local position = require('assist.position')

local M = {}

local diff = vim.text and vim.text.diff or vim.diff

---@class assist.Hunk a piece of a buffer and the lines that take its place
---@field range assist.Range
---@field lines string[]

--- Cuts an edit down to the lines that differ.
---@param bufnr integer
---@param range assist.Range
---@param text string with \n line breaks
---@return assist.Hunk[]
function M.hunks(bufnr, range, text)
  local old = vim.api.nvim_buf_get_text(bufnr, range[1], range[2], range[3], range[4], {})
  local new = vim.split(text, '\n', { plain = true })
  -- The last piece has no line break and can only take the place of the last piece.
  local old_last, new_last = old[#old], new[#new]
  local function lines(pieces)
    return #pieces > 1 and table.concat(pieces, '\n', 1, #pieces - 1) .. '\n' or ''
  end
  local found = diff(lines(old), lines(new), { result_type = 'indices', algorithm = 'histogram' })
  ---@cast found integer[][]
  local spans = {} -- start and end in old pieces, start and end in new pieces, from 0, ends exclusive
  for _, hunk in ipairs(found) do
    local old_start = hunk[2] == 0 and hunk[1] or hunk[1] - 1
    local new_start = hunk[4] == 0 and hunk[3] or hunk[3] - 1
    spans[#spans + 1] = { old_start, old_start + hunk[2], new_start, new_start + hunk[4] }
  end
  if old_last ~= new_last then
    local last = spans[#spans]
    if last and last[2] == #old - 1 then
      last[2], last[4] = #old, #new
    else
      spans[#spans + 1] = { #old - 1, #old, #new - 1, #new }
    end
  end
  local function column(piece)
    return piece == 0 and range[2] or 0
  end
  return vim.tbl_map(function(span)
    local hunk = { range = { range[1] + span[1], column(span[1]) } }
    hunk.lines = vim.list_slice(new, span[3] + 1, span[4])
    if span[2] == #old then
      hunk.range[3], hunk.range[4] = range[3], range[4]
    else
      hunk.range[3], hunk.range[4] = range[1] + span[2], column(span[2])
      hunk.lines[#hunk.lines + 1] = ''
    end
    return hunk
  end, spans)
end

--- An edit of the protocol as a range of the buffer and its text.
local function resolve(bufnr, edit, encoding)
  local count = vim.api.nvim_buf_line_count(bufnr)
  local text = edit.newText:gsub('\r\n?', '\n')
  local function place(at)
    if at.line >= count then
      -- After the last line break: Neovim has no line there, the break before it belongs to the last line.
      local last = vim.api.nvim_buf_get_lines(bufnr, count - 1, count, false)[1] or ''
      return { count - 1, #last, beyond = true }
    end
    local row, column = position.from_lsp(bufnr, at, encoding)
    return { row, column }
  end
  local start, finish = place(edit.range.start), place(edit.range['end'])
  if start.beyond then
    -- goes below the last line
    if text == '' then
      return { range = { start[1], start[2], finish[1], finish[2] }, text = '' }
    end
    text = '\n' .. text:gsub('\n$', '')
  elseif finish.beyond then
    if text:sub(-1) == '\n' then
      text = text:sub(1, -2)
    elseif text == '' and start[2] == 0 and start[1] > 0 then
      -- whole lines up to the end go away, with the break before them
      local above = vim.api.nvim_buf_get_lines(bufnr, start[1] - 1, start[1], false)[1]
      start = { start[1] - 1, #above }
    end
  end
  return { range = { start[1], start[2], finish[1], finish[2] }, text = text }
end

local function before(a, b)
  if a[1] ~= b[1] then
    return a[1] < b[1]
  end
  return a[2] < b[2]
end

---@class assist.Change
---@field bufnr integer
---@field hunks assist.Hunk[] from top to bottom

--- What a document edit would do to its buffer.
---@return assist.Change?
---@return string? problem one sentence
local function plan(uri, version, edits, encoding)
  local bufnr = documents.buffer(uri)
  if not bufnr or not vim.api.nvim_buf_is_loaded(bufnr) then
    return nil, 'The document is not open in Neovim.'
  end
  local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':t')
  name = name ~= '' and name or 'The buffer'
  if type(version) == 'number' and version ~= documents.version(bufnr) then
    return nil, ('%s has changed since (version %d, not %d).'):format(name, documents.version(bufnr), version)
  end
  if not vim.bo[bufnr].modifiable then
    return nil, name .. " cannot be changed: 'modifiable' is off."
  end
  if vim.bo[bufnr].readonly then
    return nil, name .. " is read-only; `:set noreadonly` allows changes."
  end
  local resolved = {}
  for index, edit in ipairs(edits) do
    resolved[index] = resolve(bufnr, edit, encoding)
    resolved[index].index = index
  end
  table.sort(resolved, function(a, b)
    if before(a.range, b.range) then
      return true
    end
    return not before(b.range, a.range) and a.index < b.index
  end)
  local change = { bufnr = bufnr, hunks = {} }
  local previous
  for _, edit in ipairs(resolved) do
    local range = edit.range
    if previous and before(range, { previous[3], previous[4] }) then
      return nil, 'Two edits of one change overlap.'
    end
    previous = range
    vim.list_extend(change.hunks, M.hunks(bufnr, range, edit.text))
  end
  return change
end

--- Ends the buffer's undo step, so that what comes next is another.
local function end_undo_step(bufnr)
  local function synced()
    -- setting 'undolevels', even to what it is, does it
    vim.cmd('let &g:undolevels = &g:undolevels')
  end
  if bufnr == vim.api.nvim_get_current_buf() then
    synced()
  else
    vim.api.nvim_buf_call(bufnr, synced)
  end
end

--- In insert mode Neovim has saved the line being typed on for the step that has just ended. Without this, what is typed from now on
--- is in no step, and undo mixes up lines. CTRL-G u is what a mapping would use.
local function continue_insert(bufnr)
  if bufnr == vim.api.nvim_get_current_buf() and vim.api.nvim_get_mode().mode:match('^[iR]') then
    vim.api.nvim_feedkeys(vim.keycode('<C-g>u'), 'ni', false)
  end
end

local selection_namespace = vim.api.nvim_create_namespace('assist-selection')

--- Remembers the two ends of a selection that is being made in the buffer. What comes back puts them on their text again: Neovim 0.10
--- moves only the end that the cursor is at.
---@return fun()
local function keep_selection(bufnr)
  if bufnr ~= vim.api.nvim_get_current_buf() or not vim.api.nvim_get_mode().mode:match('^[vV\22sS\19]') then
    return function() end
  end
  local marks = vim.tbl_map(function(which)
    local at = vim.fn.getpos(which)
    local line = vim.api.nvim_buf_get_lines(bufnr, at[2] - 1, at[2], false)[1] or ''
    return vim.api.nvim_buf_set_extmark(bufnr, selection_namespace, at[2] - 1, math.min(at[3] - 1, #line), {})
  end, { 'v', '.' })
  return function()
    local ends = vim.tbl_map(function(mark)
      return vim.api.nvim_buf_get_extmark_by_id(bufnr, selection_namespace, mark, {})
    end, marks)
    vim.api.nvim_buf_clear_namespace(bufnr, selection_namespace, 0, -1)
    if vim.fn.getpos('v')[2] ~= ends[1][1] + 1 then
      vim.api.nvim_win_set_cursor(0, { ends[1][1] + 1, ends[1][2] })
      vim.cmd('normal! o')
      vim.api.nvim_win_set_cursor(0, { ends[2][1] + 1, ends[2][2] })
    end
  end
end

local flash_namespace = vim.api.nvim_create_namespace('assist-flash')

local function flash(bufnr, marks)
  local time = require('assist.config').options.flash
  for _, mark in ipairs(marks) do
    local found = vim.api.nvim_buf_get_extmark_by_id(bufnr, flash_namespace, mark, { details = true })
    if time <= 0 then
      vim.api.nvim_buf_del_extmark(bufnr, flash_namespace, mark)
    elseif found[1] then
      vim.api.nvim_buf_set_extmark(bufnr, flash_namespace, found[1], found[2], {
        id = mark,
        end_row = found[3].end_row,
        end_col = found[3].end_col,
        hl_group = 'AssistChanged',
        hl_eol = true,
        priority = 250,
      })
    end
  end
  if time > 0 then
    vim.defer_fn(function()
      if vim.api.nvim_buf_is_valid(bufnr) then
        for _, mark in ipairs(marks) do
          vim.api.nvim_buf_del_extmark(bufnr, flash_namespace, mark)
        end
      end
    end, time)
  end
end

--- Makes the change. An error leaves the buffer as it was.
---@param change assist.Change
---@return string? problem
local function make(change)
  local bufnr = change.bufnr
  end_undo_step(bufnr)
  local sequence = vim.fn.undotree(bufnr).seq_cur
  local restore_selection = keep_selection(bufnr)
  local marks = {}
  local ok, problem = pcall(function()
    for index = #change.hunks, 1, -1 do
      local hunk = change.hunks[index]
      local range = hunk.range
      vim.api.nvim_buf_set_text(bufnr, range[1], range[2], range[3], range[4], hunk.lines)
      local rows = #hunk.lines - 1
      local column = (rows == 0 and range[2] or 0) + #hunk.lines[#hunk.lines]
      marks[#marks + 1] = vim.api.nvim_buf_set_extmark(bufnr, flash_namespace, range[1], range[2], {
        end_row = range[1] + rows,
        end_col = column,
      })
    end
  end)
  if not ok then
    if #marks > 0 then
      pcall(vim.api.nvim_buf_call, bufnr, function()
        vim.cmd('silent! undo ' .. sequence)
      end)
    end
    return tostring(problem):match('E565') and 'Neovim allows no changes at this moment.' or tostring(problem)
  end
  restore_selection()
  end_undo_step(bufnr)
  continue_insert(bufnr)
  flash(bufnr, marks)
end

--- All documents of an edit, by either of the protocol's two forms.
local function documents_of(edit)
  local list = {}
  if type(edit.documentChanges) == 'table' then
    for _, document in ipairs(edit.documentChanges) do
      if document.kind then
        return nil, 'Assist makes, moves and deletes files itself.'
      end
      list[#list + 1] = {
        uri = document.textDocument.uri,
        version = document.textDocument.version,
        edits = document.edits,
      }
    end
  else
    for uri, edits in pairs(edit.changes or {}) do
      list[#list + 1] = { uri = uri, edits = edits }
    end
  end
  return list
end

--- Waits while a command line is open inside insert mode (CTRL-R =): there, CTRL-G u would go into that line.
local function wait_for_text_mode()
  local co, main = coroutine.running()
  while co and not main and vim.fn.getcmdtype() == '=' do
    vim.api.nvim_create_autocmd('CmdlineLeave', {
      once = true,
      callback = vim.schedule_wrap(function()
        coroutine.resume(co)
      end),
    })
    coroutine.yield()
  end
end

--- Answers `workspace/applyEdit`.
function M.apply(params, ctx)
  local function refused(problem)
    require('assist.runs').refused_edit(ctx.client_id, problem)
    return { applied = false, failureReason = problem }
  end
  local client = vim.lsp.get_client_by_id(ctx.client_id)
  if not client then
    return refused('The connection has ended.')
  end
  wait_for_text_mode()
  local list, problem = documents_of(params.edit)
  if not list then
    return refused(problem)
  end
  local changes = {}
  for _, document in ipairs(list) do
    local bufnr = documents.buffer(document.uri)
    if bufnr then
      documents.flush(bufnr, client)
    end
    local change
    change, problem = plan(document.uri, document.version, document.edits, client.offset_encoding)
    if not change then
      return refused(problem)
    end
    changes[#changes + 1] = change
  end
  for index, change in ipairs(changes) do
    problem = make(change)
    if problem then
      for done = index - 1, 1, -1 do
        vim.api.nvim_buf_call(changes[done].bufnr, function()
          vim.cmd('silent! undo')
        end)
      end
      return refused(problem)
    end
  end
  for _, change in ipairs(changes) do
    documents.flush(change.bufnr, client)
  end
  return { applied = true }
end

return M
