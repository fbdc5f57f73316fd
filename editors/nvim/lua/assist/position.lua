--- Places in a buffer: 0-based rows and byte columns on this side, lines and encoded characters on the protocol's.

local M = {}

---@class assist.Range rows and byte columns from 0, the end is exclusive
---@field [1] integer start row
---@field [2] integer start column
---@field [3] integer end row
---@field [4] integer end column

local new_signature = vim.fn.has('nvim-0.11') == 1

---@param bufnr integer
---@param row integer
---@param column integer byte column
---@param encoding string
---@return {line: integer, character: integer}
function M.to_lsp(bufnr, row, column, encoding)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  column = math.min(column, #line)
  local character = column
  if encoding ~= 'utf-8' then
    if new_signature then
      character = vim.str_utfindex(line, encoding, column, false)
    else
      local utf32, utf16 = vim.str_utfindex(line, column)
      character = encoding == 'utf-32' and utf32 or utf16
    end
  end
  return { line = row, character = character }
end

---@param bufnr integer
---@param position {line: integer, character: integer}
---@param encoding string
---@return integer row
---@return integer column a byte column, cut to the line
function M.from_lsp(bufnr, position, encoding)
  local line = vim.api.nvim_buf_get_lines(bufnr, position.line, position.line + 1, false)[1] or ''
  local character = position.character
  if encoding == 'utf-8' then
    return position.line, math.min(character, #line)
  end
  if new_signature then
    return position.line, vim.str_byteindex(line, encoding, character, false)
  end
  local utf32, utf16 = vim.str_utfindex(line)
  local wide = encoding == 'utf-16'
  if character >= (wide and utf16 or utf32) then
    return position.line, #line
  end
  return position.line, vim.str_byteindex(line, character, wide)
end

---@param bufnr integer
---@param range assist.Range
---@param encoding string
function M.range_to_lsp(bufnr, range, encoding)
  return {
    start = M.to_lsp(bufnr, range[1], range[2], encoding),
    ['end'] = M.to_lsp(bufnr, range[3], range[4], encoding),
  }
end

--- Whole lines, with the line break of the last one where there is one.
---@param bufnr integer
---@param first integer 1-based
---@param last integer 1-based
---@return assist.Range
function M.lines(bufnr, first, last)
  local count = vim.api.nvim_buf_line_count(bufnr)
  first = math.max(1, math.min(first, count))
  last = math.max(first, math.min(last, count))
  if last < count then
    return { first - 1, 0, last, 0 }
  end
  local text = vim.api.nvim_buf_get_lines(bufnr, last - 1, last, false)[1] or ''
  return { first - 1, 0, last - 1, #text }
end

--- What was selected, from the visual marks of the buffer shown in the current window.
---@param bufnr integer
---@param kind string as `visualmode()` gives it: v, V or CTRL-V
---@return assist.Range?
---@return string? problem one sentence
function M.selection(bufnr, kind)
  local first, last = vim.fn.getpos("'<"), vim.fn.getpos("'>")
  if first[2] == 0 or last[2] == 0 then
    return nil, 'Nothing is selected.'
  end
  if kind == '\22' then
    return nil, 'Assist cannot work on a block: select with v or V instead.'
  end
  if kind == 'V' then
    return M.lines(bufnr, first[2], last[2])
  end
  local count = vim.api.nvim_buf_line_count(bufnr)
  local row = last[2] - 1
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  local start = math.min(first[3] - 1, #(vim.fn.getbufoneline(bufnr, first[2])))
  local column = last[3] - 1
  if column >= #line then
    -- the selection goes over the end of the line and holds its line break
    local exclusive = vim.o.selection == 'exclusive' and column == #line
    if exclusive or row + 1 >= count then
      return { first[2] - 1, start, row, #line }
    end
    return { first[2] - 1, start, row + 1, 0 }
  end
  if vim.o.selection ~= 'exclusive' then
    -- the last character is part of it, with everything that is composed onto it
    column = column + #vim.fn.strcharpart(line:sub(column + 1), 0, 1, true)
  end
  return { first[2] - 1, start, row, column }
end

return M
