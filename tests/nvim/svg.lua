-- Draws what a terminal shows as an SVG: reads the output of `tmux capture-pane -e -p -N` on standard input, writes the picture on standard
-- output. Every cell is put where the terminal has it; nothing is added but the frame. Run: nvim -l svg.lua [TITLE] < capture > picture.svg

local CELL, LINE, SIZE, EDGE, BAR = 8.4, 19, 14, 14, 30
local FOREGROUND, BACKGROUND = '#e0e2ea', '#14161b' -- of Neovim's own dark colours

local basic = {
  [0] = '#07080d', '#ffc0b9', '#b3f6c0', '#fce094', '#a6dbff', '#ffcaff', '#8cf8f7', '#c4c6cd',
  '#4f5258', '#ffc0b9', '#b3f6c0', '#fce094', '#a6dbff', '#ffcaff', '#8cf8f7', '#eef1f8',
}

local function indexed(number)
  if number < 16 then
    return basic[number]
  elseif number < 232 then
    local rest = number - 16
    local function part(value)
      return value == 0 and 0 or 55 + value * 40
    end
    return ('#%02x%02x%02x'):format(part(math.floor(rest / 36)), part(math.floor(rest / 6) % 6), part(rest % 6))
  end
  local grey = 8 + (number - 232) * 10
  return ('#%02x%02x%02x'):format(grey, grey, grey)
end

--- Takes the numbers of one "select graphic rendition" sequence into the style.
local function restyle(style, text)
  local numbers = {}
  -- an empty number is 0; a colon separates parts of one colour or underline
  for field in (text .. ';'):gmatch('([^;]*);') do
    numbers[#numbers + 1] = field
  end
  local index = 1
  while index <= #numbers do
    local field = numbers[index]
    local parts = vim.split(field, ':', { plain = true })
    local number = tonumber(parts[1]) or 0
    if number == 0 then
      for key in pairs(style) do
        style[key] = nil
      end
    elseif number == 1 then
      style.bold = true
    elseif number == 2 then
      style.faint = true
    elseif number == 3 then
      style.italic = true
    elseif number == 4 then
      style.underline = parts[2] ~= '0'
    elseif number == 7 then
      style.reverse = true
    elseif number == 22 then
      style.bold, style.faint = nil, nil
    elseif number == 23 then
      style.italic = nil
    elseif number == 24 then
      style.underline = nil
    elseif number == 27 then
      style.reverse = nil
    elseif number == 38 or number == 48 then
      local given = #parts > 1 and vim.list_slice(parts, 2) or vim.list_slice(numbers, index + 1, index + 4)
      local colour
      if given[1] == '5' then
        colour = indexed(tonumber(given[2]) or 0)
        index = #parts > 1 and index or index + 2
      else
        if #parts > 5 then
          table.remove(given, 2) -- the colour space
        end
        colour = ('#%02x%02x%02x'):format(tonumber(given[2]) or 0, tonumber(given[3]) or 0, tonumber(given[4]) or 0)
        index = #parts > 1 and index or index + 4
      end
      style[number == 38 and 'fg' or 'bg'] = colour
    elseif number == 39 then
      style.fg = nil
    elseif number == 49 then
      style.bg = nil
    elseif number >= 30 and number <= 37 then
      style.fg = basic[number - 30]
    elseif number >= 40 and number <= 47 then
      style.bg = basic[number - 40]
    elseif number >= 90 and number <= 97 then
      style.fg = basic[number - 82]
    elseif number >= 100 and number <= 107 then
      style.bg = basic[number - 92]
    end
    index = index + 1
  end
end

local function escape(text)
  return (text:gsub('[&<>"]', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }))
end

--- Cuts a line into pieces of one style: {text, column, width, style}.
local function pieces_of(line, style)
  local pieces, column, at = {}, 0, 1
  local function add(text)
    local width = vim.api.nvim_strwidth(text)
    pieces[#pieces + 1] = { text = text, column = column, width = width, style = vim.deepcopy(style) }
    column = column + width
  end
  while at <= #line do
    local sequence = line:match('^\27%[([%d;:]*)m', at)
    if sequence then
      restyle(style, sequence)
      at = at + #sequence + 3
    elseif line:byte(at) == 27 then
      at = at + #line:match('^\27[^%a]*%a?', at)
    else
      -- Letters in one go. Other signs by themselves, since fonts may draw them wider or narrower than a cell; the same sign again
      -- and again, as in a border, in one go too.
      local text = line:match('^[\32-\126]+', at)
      if not text then
        local sign = line:match('^[%z\1-\127\194-\244][\128-\191]*', at) or line:sub(at, at)
        text = sign
        while line:sub(at + #text, at + #text + #sign - 1) == sign do
          text = text .. sign
        end
      end
      add(text)
      at = at + #text
    end
  end
  return pieces, column
end

local title = arg[1] or ''
local style, rows, columns = {}, {}, 80
local lines = vim.split((io.read('*a'):gsub('\n+$', '')), '\n', { plain = true })
for index, line in ipairs(lines) do
  local width
  rows[index], width = pieces_of(line, style)
  columns = math.max(columns, width)
end
columns = tonumber(arg[2]) or columns

local width, height = columns * CELL + 2 * EDGE, #rows * LINE + BAR + EDGE
local out = {}
local function put(format, ...)
  out[#out + 1] = format:format(...)
end
put('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g">', width, height, width, height)
put('<rect width="%g" height="%g" rx="9" fill="%s"/>', width, height, BACKGROUND)
put(
  '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="%d">',
  SIZE
)
for index, colour in ipairs({ '#ff5f57', '#febc2e', '#28c840' }) do
  put('<circle cx="%g" cy="15" r="5" fill="%s"/>', 2 + index * 17, colour)
end
put('<text x="%g" y="20" text-anchor="middle" fill="#9b9ea4" font-size="12">%s</text>', width / 2, escape(title))
for index, pieces in ipairs(rows) do
  local top = BAR + (index - 1) * LINE
  local from, back
  local function paint(to)
    if back then
      local x, wide = EDGE + from * CELL, (to - from) * CELL
      put('<rect x="%g" y="%g" width="%g" height="%g" fill="%s"/>', x, top, wide + 0.3, LINE + 0.3, back)
    end
  end
  for _, piece in ipairs(pieces) do
    piece.fg, piece.bg = piece.style.fg or FOREGROUND, piece.style.bg
    if piece.style.reverse then
      piece.fg, piece.bg = piece.bg or BACKGROUND, piece.fg
    end
    local bg = piece.bg ~= BACKGROUND and piece.bg or nil
    if bg ~= back then
      paint(piece.column)
      from, back = piece.column, bg
    end
  end
  paint(pieces[#pieces] and pieces[#pieces].column + pieces[#pieces].width or 0)
  for _, piece in ipairs(pieces) do
    local before = #piece.text:match('^ *')
    piece.text = piece.text:sub(before + 1)
    local x = EDGE + (piece.column + before) * CELL
    piece.text = piece.text:gsub(' +$', '')
    if piece.text ~= '' then
      local attributes = ''
      if piece.style.bold then
        attributes = attributes .. ' font-weight="bold"'
      end
      if piece.style.italic then
        attributes = attributes .. ' font-style="italic"'
      end
      if piece.style.underline then
        attributes = attributes .. ' text-decoration="underline"'
      end
      if piece.style.faint then
        attributes = attributes .. ' opacity="0.6"'
      end
      put(
        '<text x="%g" y="%g" fill="%s" textLength="%g" lengthAdjust="spacingAndGlyphs" xml:space="preserve"%s>%s</text>',
        x,
        top + LINE * 0.74,
        piece.fg,
        vim.api.nvim_strwidth(piece.text) * CELL,
        attributes,
        escape(piece.text)
      )
    end
  end
end
put('</g>\n</svg>')
io.stdout:write(table.concat(out, '\n'), '\n')
