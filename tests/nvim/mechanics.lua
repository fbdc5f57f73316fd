-- What the plugin does inside Neovim, against a toy server. Run: nvim -l mechanics.lua (ASSIST_TEST_NVIM names the Neovim to test).

package.path = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2)) .. '/?.lua;' .. package.path
local driver = require('driver')
local same, has = driver.same, driver.has

local toy = ('{ %q, "-l", %q }'):format(driver.nvim, driver.here .. '/toy-server.lua')

--- A Neovim with a file open that the toy server knows.
local function open(text, options)
  options = options or {}
  local folder = driver.folder({ ['a.txt'] = text })
  local setup = ('require("assist").setup(vim.tbl_extend("force", { cmd = %s }, %s))'):format(toy, options.setup or '{}')
  local nvim = driver.start({ env = options.env, cwd = folder, setup = setup })
  nvim:edit(folder .. '/a.txt')
  nvim:attached()
  return nvim, folder
end

local function seen(nvim, method)
  local list = nvim:request('toy/seen').result
  return vim.tbl_filter(function(each)
    return method == 'reply' and each.reply ~= nil or each.method == method
  end, list)
end

local function asked(nvim)
  return vim.tbl_map(function(each)
    return each.params.arguments[1]
  end, seen(nvim, 'workspace/executeCommand'))
end

local function edit(from, to, text)
  return {
    range = { start = { line = from[1], character = from[2] }, ['end'] = { line = to[1], character = to[2] } },
    newText = text,
  }
end

--- Has the toy server edit, and waits for the plugin's answer.
local function apply(nvim, given)
  local uri = nvim:lua('return vim.uri_from_bufnr(...)', given.buffer or 0)
  local replies = #seen(nvim, 'reply')
  nvim:request('toy/perform', { given = given, uri = uri })
  local list
  assert(vim.wait(driver.PATIENCE, function()
    list = seen(nvim, 'reply')
    return #list > replies
  end, 5), 'no answer to the edit')
  return list[#list].reply
end

local function range(a, b, c, d)
  return { start = { line = a, character = b }, ['end'] = { line = c, character = d } }
end

local tests = {}
local function test(name, body)
  tests[#tests + 1] = { name, body }
end

test('a question carries words, lines and version', function()
  local nvim = open('one\ntwo\nthree\nfour\n')
  nvim:type('ggO<Esc>dd') -- two changes, so that the version is not the first
  nvim:call('nvim_command', '2,3Assist make it better')
  nvim:wait('#require("assist.runs").all() == 1 and require("assist.runs").all()[1].id ~= nil')
  local question = asked(nvim)[1]
  same(question.prompt, 'make it better')
  same(question.intent, 'ask')
  same(question.range, range(1, 0, 3, 0))
  local changes = seen(nvim, 'textDocument/didChange')
  same(question.version, changes[#changes].params.textDocument.version, 'the version is the last one sent')
end)

test('selections become ranges', function()
  for _, encoding in ipairs({ 'utf-8', 'utf-16', 'utf-32' }) do
    local nvim = open('one\nzwölf 🦀 x\nthree\n', { env = { TOY_ENCODING = encoding } })
    nvim:lua('vim.keymap.set("x", "A", "<Plug>(assist-explain)")')
    nvim:lua('vim.keymap.set("x", "T", ":Assist explain<CR>")')
    local function explained(keys)
      local before = #asked(nvim)
      nvim:type(keys)
      assert(vim.wait(driver.PATIENCE, function()
        return #asked(nvim) > before
      end, 5), 'nothing was asked for ' .. keys)
      nvim:lua('for _, run in ipairs(require("assist.runs").all()) do run.state = "done" end')
      return asked(nvim)[before + 1].range
    end
    local crab = ({ ['utf-8'] = { 7, 11 }, ['utf-16'] = { 6, 8 }, ['utf-32'] = { 6, 7 } })[encoding]
    for _, key in ipairs({ 'A', 'T' }) do
      same(explained('gg0V' .. key), range(0, 0, 1, 0), 'one line')
      same(explained('gg0VG' .. key), range(0, 0, 2, 5), 'all lines: no line break behind the last')
      same(explained('2G0f🦀v' .. key), range(1, crab[1], 1, crab[2]), 'one wide character in ' .. encoding)
      same(explained('gg0v$' .. key), range(0, 0, 1, 0), 'to the end of the line and over it')
      same(explained('gg0lvjh' .. key), range(0, 1, 1, 1), 'over lines')
      same(explained('G0v$' .. key), range(2, 0, 2, 5), 'over the end of the last line')
    end
    nvim:lua('vim.o.selection = "exclusive"')
    same(explained('gg0vlA'), range(0, 0, 0, 1), 'without the character under the cursor')
    nvim:lua('vim.o.selection = "inclusive"')
    local before = #asked(nvim)
    nvim:type('gg0<C-v>jlA')
    nvim:wait('#_G.said > 0')
    has(nvim:lua('return _G.said[#_G.said]'), 'block')
    same(#asked(nvim), before, 'a block is not sent')
    nvim:stop()
  end
end)

test('what was selected is found again after typing while the prompt was open', function()
  local nvim = open('one\ntwo\nthree\n')
  nvim:type('2GV')
  nvim:lua('vim.keymap.set("x", "A", "<Plug>(assist-rewrite)")')
  nvim:type('A')
  nvim:wait('_G.pending_input ~= nil')
  nvim:type('ggOabove<Esc>')
  nvim:lua('_G.pending_input("shorter")')
  nvim:wait('require("assist.runs").all()[1] and require("assist.runs").all()[1].id ~= nil')
  local question = asked(nvim)[1]
  same(question.range, range(2, 0, 3, 0))
  same(question.intent, 'rewrite')
  local changes = seen(nvim, 'textDocument/didChange')
  same(question.version, changes[#changes].params.textDocument.version)
end)

test('two edits are two undo steps', function()
  local nvim = open('one\ntwo\nthree\n')
  same(apply(nvim, { edits = { edit({ 0, 0 }, { 1, 0 }, 'ONE\n') } }), { applied = true })
  same(apply(nvim, { edits = { edit({ 1, 0 }, { 1, 3 }, 'TWO'), edit({ 2, 0 }, { 2, 5 }, 'THREE') } }), { applied = true })
  same(nvim:text(), 'ONE\nTWO\nTHREE')
  nvim:type('u')
  same(nvim:text(), 'ONE\ntwo\nthree', 'one step takes back a whole edit')
  nvim:type('u')
  same(nvim:text(), 'one\ntwo\nthree')
  nvim:type('<C-r><C-r>')
  same(nvim:text(), 'ONE\nTWO\nTHREE')
end)

test('in insert mode typing and edits stay apart, and nothing is mixed up', function()
  local nvim = open('one\ntwo\nthree\nfour\nfive\n')
  nvim:type('3GAxyz')
  same(apply(nvim, { edits = { edit({ 0, 0 }, { 0, 0 }, 'NEW1\nNEW2\n') } }), { applied = true })
  same(nvim:mode(), 'i', 'typing goes on')
  nvim:type('abc<CR>def')
  same(apply(nvim, { edits = { edit({ 6, 0 }, { 6, 0 }, 'Z\n') } }), { applied = true })
  nvim:type('ghi<Esc>')
  same(nvim:text(), 'NEW1\nNEW2\none\ntwo\nthreexyzabc\ndefghi\nZ\nfour\nfive')
  local steps = {
    'NEW1\nNEW2\none\ntwo\nthreexyzabc\ndef\nZ\nfour\nfive',
    'NEW1\nNEW2\none\ntwo\nthreexyzabc\ndef\nfour\nfive',
    'NEW1\nNEW2\none\ntwo\nthreexyz\nfour\nfive',
    'one\ntwo\nthreexyz\nfour\nfive',
    'one\ntwo\nthree\nfour\nfive',
  }
  for _, step in ipairs(steps) do
    nvim:type('u')
    same(nvim:text(), step)
  end
  nvim:type('5<C-r>')
  same(nvim:text(), 'NEW1\nNEW2\none\ntwo\nthreexyzabc\ndefghi\nZ\nfour\nfive')
end)

test('without the plugin’s handler Neovim mixes typing and edits up', function()
  -- This is why the handler is there. When it fails, Neovim has mended it.
  local nvim = open('one\ntwo\nthree\nfour\nfive\n', { setup = '{ edits = "stock" }' })
  nvim:type('3GAxyz')
  same(apply(nvim, { edits = { edit({ 0, 0 }, { 0, 0 }, 'NEW1\nNEW2\n') } }), { applied = true })
  nvim:type('abc<Esc>u')
  assert(nvim:text() ~= 'NEW1\nNEW2\none\ntwo\nthreexyz\nfour\nfive', 'one undo takes back only what was typed last')
end)

test('replace mode keeps its steps too', function()
  local nvim = open('one\ntwo\nthree\n')
  nvim:type('2GRab')
  same(apply(nvim, { edits = { edit({ 0, 0 }, { 0, 0 }, 'NEW\n') } }), { applied = true })
  same(nvim:mode(), 'R')
  nvim:type('cd<Esc>')
  same(nvim:text(), 'NEW\none\nabcd\nthree')
  for _, step in ipairs({ 'NEW\none\nabo\nthree', 'one\nabo\nthree', 'one\ntwo\nthree' }) do
    nvim:type('u')
    same(nvim:text(), step)
  end
end)

test('a selection stays on its text', function()
  local nvim = open('one\ntwo\nthree\nfour\n')
  nvim:type('3GVj')
  same(apply(nvim, { edits = { edit({ 0, 0 }, { 0, 0 }, 'NEW\nER\n') } }), { applied = true })
  same(nvim:mode(), 'V')
  nvim:type('d')
  same(nvim:text(), 'NEW\nER\none\ntwo')
  nvim:type('2Glv1Gl')
  same(apply(nvim, { edits = { edit({ 0, 0 }, { 0, 0 }, 'X\n') } }), { applied = true })
  nvim:type('d')
  same(nvim:text(), 'X\nNE\none\ntwo', 'also from its end to its beginning')
end)

test('an edit waits while an expression is typed into the text', function()
  local nvim = open('one\ntwo\n')
  nvim:type('2GA <C-r>=1+')
  local uri = nvim:lua('return vim.uri_from_bufnr(0)')
  local insert = { edit({ 0, 0 }, { 0, 0 }, 'NEW\n') }
  nvim:request('toy/perform', { given = { edits = insert }, uri = uri })
  nvim:request('assist/status')
  same(nvim:text(), 'one\ntwo ')
  nvim:type('1<CR>')
  assert(vim.wait(driver.PATIENCE, function()
    return #seen(nvim, 'reply') == 1
  end, 5), 'no answer to the edit')
  -- The expression changed the text: the edit was for the one before, and that is what is said.
  same(seen(nvim, 'reply')[1].reply.applied, false)
  same(apply(nvim, { edits = insert }), { applied = true })
  nvim:type('!<Esc>')
  same(nvim:text(), 'NEW\none\ntwo 2!')
  for _, step in ipairs({ 'NEW\none\ntwo 2', 'one\ntwo 2', 'one\ntwo' }) do
    nvim:type('u')
    same(nvim:text(), step)
  end
end)

test('a completion menu does not get in the way', function()
  local nvim = open('alpha\nalpine\n\n')
  nvim:type('3Gial<C-n>')
  nvim:wait('vim.fn.pumvisible() == 1')
  same(apply(nvim, { edits = { edit({ 0, 0 }, { 0, 0 }, 'NEW\n') } }), { applied = true })
  nvim:type('!<Esc>')
  local typed = vim.split(nvim:text(), '\n')[4]
  assert(typed:match('^alp%a+!$'), typed)
  nvim:type('u')
  same(nvim:text(), 'NEW\nalpha\nalpine\n' .. typed:sub(1, -2))
  nvim:type('u')
  same(nvim:text(), 'alpha\nalpine\n' .. typed:sub(1, -2))
end)

test('versions are right after a reload, a new name and another server', function()
  local nvim, folder = open('one\ntwo\n')
  local function works(text)
    same(apply(nvim, { edits = { edit({ 0, 0 }, { 0, 0 }, text .. '\n') } }), { applied = true }, text)
  end
  nvim:type('Gothree<Esc>')
  works('a')
  nvim:call('nvim_command', 'edit!')
  same(nvim:text(), 'one\ntwo')
  works('b')
  nvim:type('Gofour<Esc>')
  nvim:call('nvim_command', 'saveas ' .. folder .. '/c.txt')
  works('c')
  nvim:lua(
    [[
    local name, nvim, toy = ...
    vim.lsp.start({ name = name, cmd = { nvim, '-l', toy, 'lsp' }, root_dir = vim.fn.getcwd() })
    ]],
    'other',
    driver.nvim,
    driver.here .. '/toy-server.lua'
  )
  nvim:wait('#vim.lsp.get_clients({ name = "other", bufnr = 0 }) == 1')
  works('d')
  nvim:type('Gofive<Esc>')
  works('e')
  same(nvim:text(), 'e\nd\nc\nb\none\ntwo\nfour\nfive')
end)

test('a stale edit is said to be stale', function()
  local nvim = open('one\ntwo\n')
  nvim:type('Gothree<Esc>')
  local answer = apply(nvim, { version = 0, edits = { edit({ 0, 0 }, { 0, 3 }, 'ONE') } })
  same(answer.applied, false)
  has(answer.failureReason, 'a.txt has changed since')
  same(nvim:text(), 'one\ntwo\nthree')
  -- the change that made it stale was sent before the answer
  local list = nvim:request('toy/seen').result
  local change, reply
  for index, each in ipairs(list) do
    change = each.method == 'textDocument/didChange' and index or change
    reply = each.reply and index or reply
  end
  assert(change < reply, 'the change comes first')
  local newest = list[change].params.textDocument.version
  same(apply(nvim, { version = newest, edits = { edit({ 0, 0 }, { 0, 3 }, 'ONE') } }), { applied = true })
  same(nvim:text(), 'ONE\ntwo\nthree')
end)

test('Neovim’s own handler claims that a stale edit was made', function()
  local nvim = open('one\ntwo\n', { setup = '{ edits = "stock" }' })
  nvim:type('Gothree<Esc>')
  nvim:type('Gofour<Esc>')
  same(apply(nvim, { version = 1, edits = { edit({ 0, 0 }, { 0, 3 }, 'ONE') } }).applied, true)
  same(nvim:text(), 'one\ntwo\nthree\nfour')
end)

test('Neovim’s own handler makes a stale edit in the wrong place before the first change', function()
  local nvim = open('one\ntwo\n', { setup = '{ edits = "stock" }' })
  nvim:type('ggOzero<Esc>')
  same(apply(nvim, { version = 0, edits = { edit({ 0, 0 }, { 0, 3 }, 'ONE') } }).applied, true)
  same(nvim:text(), 'ONEo\none\ntwo')
end)

test('what an edit made is sent before it is answered', function()
  local nvim = open('one\ntwo\n')
  apply(nvim, { edits = { edit({ 0, 0 }, { 0, 3 }, 'ONE'), edit({ 1, 0 }, { 1, 3 }, 'TWO') } })
  local list = nvim:request('toy/seen').result
  local changes, reply = {}, nil
  for index, each in ipairs(list) do
    if each.method == 'textDocument/didChange' then
      changes[#changes + 1] = index
    end
    reply = each.reply and index or reply
  end
  same(#changes, 1, 'one notification for one edit')
  assert(changes[1] < reply, 'the change comes first')
end)

test('all documents or none', function()
  local nvim, folder = open('one\n')
  nvim:edit(folder .. '/b.txt')
  nvim:type('ibee<Esc>')
  nvim:attached()
  local a, b = vim.uri_from_fname(folder .. '/a.txt'), vim.uri_from_fname(folder .. '/b.txt')
  nvim:lua(
    [[
    local a, b = ...
    local client = require('assist.client').all()[1]
    local function change(uri, version)
      local range = { start = { line = 0, character = 0 }, ['end'] = { line = 0, character = 3 } }
      return { textDocument = { uri = uri, version = version }, edits = { { range = range, newText = 'X' } } }
    end
    local edit = { documentChanges = { change(a, 0), change(b, 999) } }
    coroutine.wrap(function()
      _G.answer = require('assist.edit').apply({ edit = edit }, { client_id = client.id })
    end)()
    ]],
    a,
    b
  )
  nvim:wait('_G.answer')
  same(nvim:lua('return _G.answer.applied'), false)
  same(nvim:text(), 'bee')
  nvim:edit(folder .. '/a.txt')
  same(nvim:text(), 'one')
end)

test('a buffer that is not shown is edited where it is', function()
  local nvim, folder = open('one\ntwo\n')
  local first = nvim:call('nvim_get_current_buf')
  nvim:edit(folder .. '/other.txt')
  nvim:type('ihello<Esc>0')
  nvim:type('i')
  same(apply(nvim, { buffer = first, edits = { edit({ 1, 0 }, { 1, 3 }, 'TWO') } }), { applied = true })
  same(nvim:text(first), 'one\nTWO')
  same(nvim:text(), 'hello')
  same(nvim:mode(), 'i')
  nvim:type('x<Esc>')
  same(nvim:text(), 'xhello')
  nvim:lua('vim.api.nvim_buf_call(..., function() vim.cmd.undo() end)', first)
  same(nvim:text(first), 'one\ntwo')
end)

test('buffers that may not be changed are not', function()
  local nvim = open('one\n')
  nvim:lua('vim.bo.modifiable = false')
  local answer = apply(nvim, { edits = { edit({ 0, 0 }, { 0, 3 }, 'X') } })
  same(answer.applied, false)
  has(answer.failureReason, 'modifiable')
  nvim:lua('vim.bo.modifiable, vim.bo.readonly = true, true')
  has(apply(nvim, { edits = { edit({ 0, 0 }, { 0, 3 }, 'X') } }).failureReason, 'read-only')
  same(nvim:text(), 'one')
end)

test('marks, folds and the cursor stay with lines that did not change', function()
  local lines = {}
  for index = 1, 40 do
    lines[index] = 'line ' .. index
  end
  local nvim = open(table.concat(lines, '\n') .. '\n')
  nvim:type('20Gma30Gmb')
  nvim:type(':25,28fold<CR>12G3l')
  local view = nvim:lua('return { vim.fn.foldclosed(25), vim.fn.foldclosedend(25) }')
  same(view, { 25, 28 })
  -- the whole text is replaced, two lines are new and one differs
  local new = vim.list_extend({ 'new a', 'new b' }, vim.deepcopy(lines))
  new[42] = 'other'
  apply(nvim, { edits = { edit({ 0, 0 }, { 40, 0 }, table.concat(new, '\n') .. '\n') } })
  same(nvim:text(), table.concat(new, '\n'))
  same(nvim:lua('return vim.api.nvim_win_get_cursor(0)'), { 14, 3 })
  same(nvim:lua([[return vim.api.nvim_buf_get_mark(0, 'a')]])[1], 22)
  same(nvim:lua([[return vim.api.nvim_buf_get_mark(0, 'b')]])[1], 32)
  same(nvim:lua('return { vim.fn.foldclosed(27), vim.fn.foldclosedend(27) }'), { 27, 30 })
end)

test('edits come out the same as the protocol says, whatever they look like', function()
  local nvim = open('x\n')
  local problem = nvim:lua([[
    math.randomseed(7)
    local position = require('assist.position')
    local edit = require('assist.edit')
    local documents = require('assist.documents')
    local client = require('assist.client').all()[1]
    local words = { 'a', 'b', 'zwölf', '🦀', '', '  c', 'a' }
    local function text(max)
      local lines = {}
      for _ = 1, math.random(0, max) do
        lines[#lines + 1] = words[math.random(#words)]
      end
      return table.concat(lines, '\n')
    end
    for round = 1, 400 do
      local before = text(8)
      local lines = vim.split(before, '\n', { plain = true })
      vim.api.nvim_buf_set_lines(0, 0, -1, false, lines)
      local whole = before .. '\n'
      -- a range at character borders, the place behind the last line break included
      local borders = {}
      local offset = 0
      for row, line in ipairs(lines) do
        for _, column in ipairs(vim.list_extend(vim.str_utf_pos(line), { #line + 1 })) do
          borders[#borders + 1] = { offset + column - 1, position.to_lsp(0, row - 1, column - 1, client.offset_encoding) }
        end
        offset = offset + #line + 1
      end
      borders[#borders + 1] = { offset, { line = #lines, character = 0 } }
      local a, b = math.random(#borders), math.random(#borders)
      if a > b then a, b = b, a end
      local from, to = borders[a], borders[b]
      local new = text(6)
      local expected = whole:sub(1, from[1]) .. new .. whole:sub(to[1] + 1)
      local shown = { before = before, from = from, to = to, new = new, expected = expected }
      local answer
      coroutine.wrap(function()
        answer = edit.apply({ edit = { documentChanges = { {
          textDocument = { uri = documents.uri(vim.api.nvim_get_current_buf()), version = documents.version(vim.api.nvim_get_current_buf()) },
          edits = { { range = { start = from[2], ['end'] = to[2] }, newText = new } },
        } } } }, { client_id = client.id })
      end)()
      if not answer or not answer.applied then
        return vim.inspect({ answer, shown })
      end
      local got = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n') .. '\n'
      -- Neovim's text always ends with a line break
      if expected:sub(-1) ~= '\n' then expected = expected .. '\n' end
      if got ~= expected then
        shown.got = got
        return vim.inspect(shown)
      end
    end
  ]])
  assert(problem == nil or problem == vim.NIL, problem)
end)

test('a file with CRLF line breaks keeps them', function()
  local folder = driver.folder({ ['a.txt'] = 'one\r\ntwo\r\n' })
  local nvim = driver.start({ cwd = folder, setup = ('require("assist").setup({ cmd = %s })'):format(toy) })
  nvim:edit(folder .. '/a.txt')
  nvim:attached()
  same(apply(nvim, { edits = { edit({ 1, 0 }, { 2, 0 }, 'TWO\r\nthree\r\n') } }), { applied = true })
  nvim:call('nvim_command', 'write')
  same(driver.read(folder .. '/a.txt'), 'one\r\nTWO\r\nthree\r\n')
end)

test('a buffer without a name has an address, and edits reach it', function()
  local nvim = open('one\n')
  nvim:call('nvim_command', 'enew')
  nvim:type('ihello<CR>there<Esc>')
  nvim:call('nvim_command', '1,1Assist {"edits":[' .. vim.json.encode(edit({ 0, 0 }, { 0, 5 }, 'HELLO')) .. ']}')
  nvim:wait('vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] == "HELLO"')
  local uri = asked(nvim)[1].uri
  has(uri, 'untitled:')
  local opened = seen(nvim, 'textDocument/didOpen')
  same(opened[#opened].params.textDocument.uri, uri)
  same(opened[#opened].params.textDocument.text, 'hello\nthere\n')
  nvim:type('u')
  same(nvim:text(), 'hello\nthere')
  nvim:type('Gothird<Esc>')
  assert(vim.wait(driver.PATIENCE, function()
    local changes = seen(nvim, 'textDocument/didChange')
    return changes[#changes].params.contentChanges[1].text == 'hello\nthere\nthird\n'
  end, 5), 'its changes are sent')
  nvim:call('nvim_command', 'bwipeout!')
  nvim:request('assist/status')
  same(seen(nvim, 'textDocument/didClose')[1].params.textDocument.uri, uri)
end)

test('a code action without words asks for them', function()
  local nvim = open('one\ntwo\n')
  nvim:type('V')
  nvim:lua('table.insert(_G.answers, "make it rhyme"); vim.lsp.buf.code_action({ apply = true })')
  nvim:wait('require("assist.runs").all()[1] and require("assist.runs").all()[1].id ~= nil')
  local question = asked(nvim)[1]
  same(question.prompt, 'make it rhyme')
  same(question.intent, 'rewrite')
  same(question.range.start, { line = 0, character = 0 })
  has(nvim:lua('return _G.asked[1]'), 'Rewrite')
end)

test('no words, no question', function()
  local nvim = open('one\ntwo\n')
  nvim:call('nvim_command', '1Assist')
  nvim:wait('_G.pending_input ~= nil')
  nvim:lua('_G.pending_input(nil)')
  same(#asked(nvim), 0)
  same(nvim:lua('return #vim.api.nvim_buf_get_extmarks(0, require("assist.runs").namespace, 0, -1, {})'), 0)
end)

test('the first word is a verb only where it makes sense', function()
  local nvim = open('one\n')
  local function parsed(line, whole)
    return nvim:lua('return { require("assist.commands").parse(...) }', line, whole or false)
  end
  same(parsed('fix'), { 'fix', '' })
  same(parsed('explain why this loops'), { 'explain', 'why this loops' })
  same(parsed('make it nice'), { 'ask', 'make it nice' })
  same(parsed('undo'), { 'undo', '' })
  same(parsed('undo 0194ab3f'), { 'undo', '0194ab3f' })
  same(parsed('undo the damage in the header'), { 'ask', 'undo the damage in the header' })
  same(parsed('log errors to stderr'), { 'ask', 'log errors to stderr' })
  same(parsed('test', true), { 'ask', 'test' })
  same(parsed(''), { 'ask', '' })
  local complete = nvim:lua('return vim.fn.getcompletion("Assist ex", "cmdline")')
  same(complete, { 'explain' })
end)

test('an answer is joined from pieces in any order and does not take the focus', function()
  local nvim = open('one\n')
  local pieces = {
    { messageId = 'm', offset = 0, text = '# Zwölf\n\nIt ' },
    { messageId = 'm', offset = 16, text = 'loud.\n' }, -- what lies between was dropped
    { messageId = 'm', offset = 6, text = 'lf\n\nIt is ' },
  }
  local events = {
    { type = 'status', data = { state = 'running' } },
    { type = 'text', data = { messageId = 'm', offset = 0, text = '# Zwölf\n\nIt is loud.\n' } },
    { type = 'completed', data = { state = 'done', summary = 'Answered.', changedFiles = {} } },
  }
  local given = vim.json.encode({ deltas = pieces })
  nvim:call('nvim_command', 'Assist explain ' .. given)
  nvim:wait('vim.fn.bufnr("assist://answer") > 0')
  nvim:wait('table.concat(vim.api.nvim_buf_get_lines(vim.fn.bufnr("assist://answer"), 0, -1, false), "\\n"):find("It is ") ~= nil')
  local run = nvim:lua('return require("assist.runs").all()[1].id')
  nvim:request('toy/perform', { run = run, given = { events = events } })
  nvim:wait('table.concat(vim.api.nvim_buf_get_lines(vim.fn.bufnr("assist://answer"), 0, -1, false), "\\n"):find("loud") ~= nil')
  local text = nvim:text(nvim:lua('return vim.fn.bufnr("assist://answer")'))
  has(text, '# Zwölf\n\nIt is loud.\n')
  local _, answer = text:match('(#[^\n]*)\n\n(.*)') -- without the heading, which is the prompt
  same(select(2, answer:gsub('loud', '')), 1, 'nothing comes twice')
  same(nvim:lua('return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":t")'), 'a.txt', 'the cursor stays')
  same(nvim:lua('return #vim.fn.win_findbuf(vim.fn.bufnr("assist://answer"))'), 1)
end)

test('answers of two runs stay in their sections', function()
  local nvim = open('one\n')
  local function delta(run, offset, text)
    local piece = { messageId = run, offset = offset, text = text }
    nvim:request('toy/perform', { run = run, given = { deltas = { piece } } })
  end
  local function shown(part)
    nvim:wait('(require("assist.answer").buffer() and table.concat(vim.api.nvim_buf_get_lines(require("assist.answer").buffer(), 0, -1, false), "\\n"):find(..., 1, true)) ~= nil', part)
  end
  delta('r1', 0, 'first one\n')
  shown('first one')
  delta('r2', 0, 'second one\n')
  shown('second one')
  delta('r1', 10, 'first two')
  shown('first two')
  delta('r2', 11, 'second two')
  shown('second two')
  local text = nvim:text(nvim:lua('return require("assist.answer").buffer()'))
  local order = {}
  for word in text:gmatch('%a+ %a+') do
    if word:match('^first') or word:match('^second') then
      order[#order + 1] = word
    end
  end
  same(order, { 'first one', 'first two', 'second one', 'second two' })
end)

test('a run is seen while it works, and its end', function()
  local nvim = open('one\ntwo\n')
  local started = {
    { type = 'status', data = { state = 'running' } },
    { type = 'agent_started', data = { agent = 'builder', component = 'Hero' } },
  }
  nvim:call('nvim_command', '1,2Assist ' .. vim.json.encode({ events = started }))
  nvim:wait('table.concat(require("assist.progress").lines(), "\\n"):find("Writing Hero") ~= nil')
  has(table.concat(nvim:lua('return require("assist.progress").lines()'), '\n'), ':Assist cancel')
  has(nvim:lua('return require("assist").status()'), 'Writing Hero')
  same(nvim:lua('return #vim.api.nvim_list_wins()'), 2)
  nvim:type('<C-w><C-w>')
  same(nvim:lua('return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":t")'), 'a.txt', 'it cannot be entered')
  nvim:call('nvim_command', 'Assist cancel')
  local run = nvim:lua('return require("assist.runs").all()[1].id')
  nvim:request('assist/status')
  local cancelled = vim.tbl_filter(function(each)
    return each.params.command == 'assist.cancel'
  end, seen(nvim, 'workspace/executeCommand'))
  same(cancelled[1].params.arguments[1].runId, run)
  local ended = {
    { type = 'component_applied', data = { component = 'Hero', path = 'src/Hero.tsx' } },
    { type = 'completed', data = { state = 'done', summary = 'Changed Hero.', changedFiles = { 'src/Hero.tsx' } } },
  }
  nvim:request('toy/perform', { run = run, given = { events = ended } })
  nvim:wait('table.concat(require("assist.progress").lines(), "\\n"):find("Hero.tsx") ~= nil')
  has(table.concat(nvim:lua('return require("assist.progress").lines()'), '\n'), 'undo')
  same(nvim:lua('return require("assist").status()'), '')
  nvim:lua('require("assist.config").options.linger = 0')
  nvim:wait('#vim.api.nvim_list_wins() == 1')
  same(nvim:lua('return #vim.api.nvim_buf_get_extmarks(0, -1, 0, -1, {})'), 0, 'nothing is left in the buffer')
end)

test('a question waits beside the work, and every way to answer works', function()
  local nvim = open('one\n')
  local question = { question = 'Create src/Nav.tsx?', detail = '```diff\n+one\n```', choices = { 'Apply', 'Skip' } }
  local function ask()
    nvim:request('toy/perform', { run = 'toy', given = question })
    nvim:wait('require("assist.card").open() ~= nil and require("assist.card").open().reply ~= nil')
  end
  local function replies()
    return #seen(nvim, 'reply')
  end
  local function last_reply(before)
    assert(vim.wait(driver.PATIENCE, function()
      return replies() > before
    end, 5), 'no answer')
    local list = seen(nvim, 'reply')
    return list[#list].reply
  end
  local before = replies()
  ask()
  same(nvim:lua('return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":t")'), 'a.txt', 'the focus stays')
  nvim:call('nvim_command', 'Assist answer')
  nvim:type('2')
  same(last_reply(before), { title = 'Skip' })
  same(nvim:lua('return #vim.api.nvim_list_wins()') <= 2, true)

  before = replies()
  ask()
  nvim:call('nvim_command', 'Assist answer 1')
  same(last_reply(before), { title = 'Apply' })

  before = replies()
  ask()
  nvim:call('nvim_command', 'Assist answer')
  nvim:type('q')
  same(last_reply(before), 'null', 'put away: it stays open')

  before = replies()
  ask()
  local running = { events = { { type = 'status', data = { state = 'running' } } } }
  nvim:request('toy/perform', { run = 'toy', given = running })
  same(last_reply(before), 'null', 'answered elsewhere')
  same(nvim:lua('return require("assist.card").open()'), vim.NIL)
end)

test('without a model there is one sentence and the offer to keep a key', function()
  local keys = vim.fn.tempname()
  local nvim = open('one\n', { env = { TOY_KEYS = keys } })
  local problem = {
    code = -32803,
    message = 'No model can be reached.',
    data = { kind = 'no_provider', fix = 'Set ANTHROPIC_API_KEY.' },
  }
  nvim:call('nvim_command', 'Assist ' .. vim.json.encode({ error = problem }))
  nvim:wait('#_G.said > 0')
  same(nvim:lua('return _G.said[1]'), 'No model can be reached. Set ANTHROPIC_API_KEY.')
  nvim:wait('_G.pending_select ~= nil')
  nvim:lua('vim.fn.inputsecret = function() return "  sk-1  " end')
  nvim:lua('local pick = _G.pending_select; _G.pending_select = nil; pick(1)')
  nvim:wait('_G.pending_select ~= nil')
  local before = #asked(nvim)
  nvim:lua('_G.pending_select(2)')
  assert(vim.wait(driver.PATIENCE, function()
    return #asked(nvim) > before
  end, 5), 'it is asked again once the key is kept')
  same(driver.read(keys), 'openai=sk-1\n')
end)

test('diagnostics go with a fix', function()
  local nvim = open('one\ntwo\nthree\n')
  nvim:lua([[
    local namespace = vim.api.nvim_create_namespace('test')
    vim.diagnostic.set(namespace, 0, {
      { lnum = 1, col = 0, end_lnum = 1, end_col = 3, message = 'two is wrong', severity = 1, source = 'toy' },
      { lnum = 2, col = 0, end_lnum = 2, end_col = 3, message = 'three is odd', severity = 2 },
    })
    vim.api.nvim_win_set_cursor(0, { 2, 0 })
  ]])
  nvim:call('nvim_command', 'Assist fix')
  nvim:wait('require("assist.runs").all()[1] and require("assist.runs").all()[1].id ~= nil')
  local question = asked(nvim)[1]
  same(question.range, range(1, 0, 2, 0))
  same(#question.diagnostics, 1)
  same(question.diagnostics[1].message, 'two is wrong')
  same(question.diagnostics[1].range, range(1, 0, 1, 3))
end)

test('what is asked in an answer goes to the same server', function()
  local nvim = open('one\n')
  local text = { type = 'text', data = { messageId = 'm', offset = 0, text = 'words' } }
  local done = { type = 'completed', data = { state = 'done', summary = '', changedFiles = {} } }
  nvim:call('nvim_command', 'Assist ' .. vim.json.encode({ events = { text, done } }))
  nvim:wait('vim.fn.bufwinid("assist://answer") > 0')
  nvim:call('nvim_command', 'Assist answer')
  same(nvim:lua('return vim.api.nvim_buf_get_name(0)'), 'assist://answer')
  nvim:lua('vim.cmd.cd("/")')
  nvim:call('nvim_command', 'Assist and why?')
  nvim:wait('require("assist.runs").newest().prompt == "and why?" and require("assist.runs").newest().id ~= nil')
  local question = asked(nvim)[2]
  same(question.uri, nil)
  same(question.conversationId, 'c1', 'the conversation goes on')
  nvim:type('q')
  same(nvim:lua('return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":t")'), 'a.txt')
end)

test('the help page has its tags', function()
  local nvim = open('one\n')
  local folder = driver.folder({})
  vim.fn.mkdir(folder .. '/doc')
  local page = vim.fn.fnamemodify(driver.here, ':h:h') .. '/editors/nvim/doc/assist.txt'
  assert(vim.uv.fs_copyfile(page, folder .. '/doc/assist.txt'))
  nvim:call('nvim_command', 'helptags ' .. folder .. '/doc')
  nvim:lua('vim.opt.runtimepath:prepend(...)', folder)
  -- every link of the page leads somewhere
  local broken = nvim:lua([[
    vim.cmd.help('assist')
    local broken = {}
    for _, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
      for link in line:gmatch('|([^|%s]+)|') do
        if not pcall(vim.cmd.help, link) then table.insert(broken, link) end
      end
    end
    return broken
  ]])
  same(broken, {})
  local text = driver.read(page)
  for option in pairs(nvim:lua('return require("assist.config").options')) do
    has(text, '\n' .. option .. ' ', 'every option is described')
  end
  for _, verb in ipairs(nvim:lua('return vim.fn.getcompletion("Assist ", "cmdline")')) do
    has(text, '*:Assist-' .. verb .. '*', 'every verb is described')
  end
end)

test('a wrong option is named', function()
  local nvim = open('one\n')
  local said = nvim:lua([[return select(2, pcall(require('assist').setup, { flash = 'long' }))]])
  has(said, '`flash`')
  has(nvim:lua([[return select(2, pcall(require('assist').setup, { keymap = true }))]]), '`keymap`')
end)

test('a binary that is not there is one sentence, when it is needed', function()
  local folder = driver.folder({ ['a.txt'] = 'one\n' })
  local nvim = driver.start({ cwd = folder, setup = 'require("assist").setup({ cmd = "/nowhere/assist" })' })
  nvim:edit(folder .. '/a.txt')
  same(nvim:lua('return #_G.said'), 0)
  nvim:call('nvim_command', 'Assist hello')
  nvim:wait('#_G.said > 0')
  has(nvim:lua('return _G.said[1]'), '/nowhere/assist')
  nvim:call('nvim_command', 'checkhealth assist')
  has(nvim:text(), '/nowhere/assist')
end)

test('a server that dies is said to have died, and can be started again', function()
  local nvim = open('one\n')
  nvim:lua([[
    local client = require('assist.client').all()[1]
    require('assist.client').notify(client, 'exit', vim.empty_dict())
  ]])
  nvim:wait('#require("assist.client").all() == 0')
  nvim:call('nvim_command', 'Assist restart')
  nvim:attached()
  same(nvim:request('assist/status').result.ready, true)
end)

test('the root is the nearest .assist, then .git, then the folder', function()
  local folder = driver.folder({ ['in/deep/a.txt'] = 'x', ['in/.assist/x'] = '', ['other/b.txt'] = 'x' })
  local nvim = driver.start({ cwd = folder, setup = 'require("assist").setup({ autostart = false })' })
  nvim:edit(folder .. '/in/deep/a.txt')
  same(nvim:lua('return require("assist.documents").root(0)'), folder .. '/in')
  nvim:edit(folder .. '/other/b.txt')
  same(nvim:lua('return require("assist.documents").root(0)'), folder)
end)

driver.run(tests)
