-- The whole way: a real Neovim, the plugin, the real server, and a model that is simulated over HTTP. Run by `tests/tests/nvim.rs`, which
-- starts the simulator with the script that each scenario needs and names the scenario.

package.path = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2)) .. '/?.lua;' .. package.path
local driver = require('driver')
local simulator = require('simulator')
local same, has = driver.same, driver.has

local PAGE = [[
import { useState } from "react";

type Props = { title: string };

export function Hero({ title }: Props) {
  return <h1>{title}</h1>;
}

export function Footer() {
  return <footer>made with care</footer>;
}
]]

-- What the simulator's model writes in place of Hero.
local HERO = [[
export function Hero({ title }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <h1 onClick={() => setOpen(!open)}>{open ? title : "…"}</h1>
  );
}
]]
local OLD_HERO = [[
export function Hero({ title }: Props) {
  return <h1>{title}</h1>;
}
]]

local function swap(text, old, new)
  local from, to = text:find(old, 1, true)
  assert(from, 'the text has no ' .. old)
  return text:sub(1, from - 1) .. new .. text:sub(to + 1)
end

local AFTER = swap(PAGE, OLD_HERO, HERO)

--- What a buffer's lines are when a file holds `text`.
local function lines(text)
  return (text:gsub('\n$', ''))
end

local function open(options, files)
  local folder = driver.folder(vim.tbl_extend('force', { ['src/page.tsx'] = PAGE }, files or {}))
  local setup = ('require("assist").setup(vim.tbl_extend("force", { cmd = vim.env.ASSIST_TEST_BIN }, %s))'):format(options or '{}')
  local nvim = driver.start({ cwd = folder, setup = setup })
  nvim:edit(folder .. '/src/page.tsx')
  nvim:attached()
  return nvim, folder
end

local function newest(field)
  return ('require("assist.runs").newest() and require("assist.runs").newest().%s'):format(field)
end

--- Waits until the newest run rests or has ended, in this state.
local function ended(nvim, state)
  nvim:wait('require("assist.runs").newest() and not require("assist.runs").is_live(require("assist.runs").newest())')
  local found = nvim:lua('return { _G.said, ' .. newest('summary') .. ', ' .. newest('parts') .. ' }')
  same(nvim:lua('return ' .. newest('state')), state, vim.inspect(found))
  if os.getenv('ASSIST_TEST_TELL') then
    print(vim.inspect(found))
  end
end

local tests = {}
local function test(name, body)
  tests[#tests + 1] = { name, body }
end

test('edit', function()
  local nvim, folder = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  ended(nvim, 'done')
  nvim:wait('not vim.bo.modified')
  same(driver.read(folder .. '/src/page.tsx'), AFTER, 'the file was saved before, and is again')
  same(nvim:text(), lines(AFTER))
  has(simulator.requests()[1].lastUser, 'make the title open on click')
  nvim:type('u')
  same(nvim:text(), lines(PAGE), 'one step of undo takes it back')
  nvim:type('<C-r>')
  same(nvim:text(), lines(AFTER))
end)

test('unsaved', function()
  local nvim, folder = open()
  nvim:type('ggO// mine<Esc>')
  nvim:type('6GV2j:Assist make the title open on click<CR>')
  ended(nvim, 'done')
  has(nvim:text(), lines(HERO))
  nvim:request('assist/status') -- whatever was to come has come
  same(nvim:lua('return vim.bo.modified'), true)
  same(driver.read(folder .. '/src/page.tsx'), PAGE, 'unsaved changes of the user\'s own are the user\'s to save')
end)

test('part of a line', function()
  local nvim = open()
  nvim:type('10Gfmv3e:Assist say it warmer<CR>')
  ended(nvim, 'done')
  local warm = 'export function Footer() {\n  return <footer>made with love</footer>;\n}'
  assert(nvim:text():find(warm, 1, true), nvim:text())
  nvim:type('u')
  same(nvim:text(), lines(PAGE))
end)

test('insert mode', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  nvim:type('10Gfci')
  nvim:type('much ')
  same(nvim:text(), lines(swap(PAGE, 'with care', 'with much care')), 'nothing of the half component is there')
  simulator.release()
  ended(nvim, 'done')
  local both = swap(AFTER, 'with care', 'with much care')
  same(nvim:text(), lines(both))
  same(nvim:mode(), 'i', 'typing goes on')
  nvim:type('and true <Esc>')
  same(nvim:text(), lines(swap(both, 'much ', 'much and true ')), 'at the same place')
  nvim:type('u')
  same(nvim:text(), lines(both))
  nvim:type('u')
  same(nvim:text(), lines(swap(PAGE, 'with care', 'with much care')), 'one step takes the edit back and leaves the typing')
  nvim:type('u')
  same(nvim:text(), lines(PAGE))
end)

test('typing above', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  nvim:type('ggO// one<CR>two<Esc>')
  simulator.release()
  ended(nvim, 'done')
  has(nvim:text(), '// one\n')
  has(nvim:text(), lines(HERO))
  assert(not nvim:text():find(lines(OLD_HERO), 1, true), 'the old one is gone')
end)

test('typing inside', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  nvim:type('6Gf{i! <Esc>')
  simulator.release()
  -- The user's text in the very lines: the model is asked again with it, and answers with it.
  ended(nvim, 'done')
  local asked = simulator.requests()
  assert(#asked >= 2, 'it was asked again')
  has(asked[#asked].lastUser, '! {title}')
  has(nvim:text(), '! …')
end)

--- The user types in the moment in which an edit arrives: the version it was made for is no longer the buffer's.
local RACE = [[
  local method = 'workspace/applyEdit'
  local client = require('assist.client').all()[1]
  local stock = client.handlers[method] or vim.lsp.handlers[method]
  _G.arrived = {}
  client.handlers[method] = function(err, params, ctx)
    if #_G.arrived == 0 then
      vim.api.nvim_buf_set_lines(0, 0, 0, false, { '// typed in that moment' })
    end
    local answer = stock(err, params, ctx)
    table.insert(_G.arrived, answer)
    return answer
  end
]]

test('stale, plain', function()
  local nvim = open('{ edits = "stock" }')
  nvim:type('ggO<Esc>dd') -- Neovim looks at versions above 0 only
  nvim:lua(RACE)
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  ended(nvim, 'done')
  same(nvim:text(), '// typed in that moment\n' .. lines(AFTER))
  local arrived = nvim:lua('return _G.arrived')
  same(#arrived, 2, 'the server has noticed and sent it again')
  same(arrived[1].applied, true, 'Neovim claimed to have made it')
end)

test('stale, careful', function()
  local nvim = open()
  nvim:lua(RACE)
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  ended(nvim, 'done')
  same(nvim:text(), '// typed in that moment\n' .. lines(AFTER))
  local arrived = nvim:lua('return _G.arrived')
  same(arrived[1].applied, false)
  same(arrived[2].applied, true)
  nvim:type('u')
  same(nvim:text(), '// typed in that moment\n' .. lines(PAGE))
end)

test('plain', function()
  local folder = driver.folder({ ['src/page.tsx'] = swap(PAGE, 'return <h1>', '// assist: open the title on click\n  return <h1>') })
  local nvim = driver.start({ cwd = folder, plugin = false })
  nvim:edit(folder .. '/src/page.tsx')
  nvim:lua([[
    local capabilities = vim.lsp.protocol.make_client_capabilities()
    -- Neovim can do this, but does not say so
    capabilities.workspace.workspaceEdit.documentChanges = true
    vim.lsp.start({
      name = 'assist',
      cmd = { vim.env.ASSIST_TEST_BIN, 'lsp' },
      root_dir = vim.fn.getcwd(),
      capabilities = capabilities,
    })
    _G.progress = {}
    vim.api.nvim_create_autocmd('LspProgress', {
      callback = function(args) table.insert(_G.progress, args.data.params.value.kind) end,
    })
  ]])
  nvim:attached()
  -- words cannot be asked for: they stand in the text
  nvim:type('5GV3j')
  nvim:lua([[vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.title:find('Rewrite') end })]])
  -- while something is selected and a message is shown, Neovim looks at no events for three seconds
  nvim:type('<Esc>')
  nvim:wait('table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\\n"):find("setOpen", 1, true) ~= nil')
  same(nvim:text(), lines(AFTER))
  nvim:wait('vim.tbl_contains(_G.progress, "end")')
  same(nvim:lua('return _G.progress[1]'), 'begin')
end)

test('cancel', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  nvim:wait('table.concat(require("assist.progress").lines(), "\\n"):find(":Assist cancel", 1, true) ~= nil')
  nvim:call('nvim_command', 'Assist cancel')
  simulator.disconnected(1)
  ended(nvim, 'stopped')
  same(nvim:text(), lines(PAGE))
  same(nvim:lua('return vim.bo.modified'), false)
  same(nvim:request('assist/sessions').result.sessions[1].status, 'stopped')
end)

test('truncated', function()
  local nvim = open()
  nvim:lua([[
    _G.kinds, _G.partial = {}, false
    require('assist.config').options.on_event = function(event)
      table.insert(_G.kinds, event.type)
      if event.type == 'truncated' then
        _G.at_cut = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
      end
    end
  ]])
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  ended(nvim, 'done')
  same(nvim:lua('return _G.at_cut'), lines(PAGE), 'nothing of a cut component is applied')
  same(nvim:text(), lines(AFTER))
  assert(vim.tbl_contains(nvim:lua('return _G.kinds'), 'continued'), 'it was continued')
end)

test('given up', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  ended(nvim, 'failed')
  same(nvim:text(), lines(PAGE))
  nvim:wait('#_G.said > 0')
  has(nvim:lua('return _G.said[1]'), 'could not be continued')
  same(nvim:lua('return #_G.said'), 1, 'one sentence')
end)

test('code action', function()
  local nvim = open()
  nvim:type('5GV2j')
  nvim:lua([[
    table.insert(_G.answers, 'make the title open on click')
    vim.ui.select = function(items, options, done)
      _G.offered = vim.tbl_map(options.format_item or tostring, items)
      for index, item in ipairs(items) do
        if _G.offered[index]:find('Assist: Rewrite…', 1, true) then
          return done(item, index)
        end
      end
      done(nil)
    end
    vim.lsp.buf.code_action()
  ]])
  nvim:wait(newest('id ~= nil'))
  ended(nvim, 'done')
  same(nvim:text(), lines(AFTER))
  same(nvim:mode(), 'n', 'what was selected has been asked about')
  has(table.concat(nvim:lua('return _G.offered'), '\n'), 'Ask Assist…')
  has(nvim:lua('return _G.asked[1]'), 'Rewrite')
end)

test('fix a diagnostic', function()
  local nvim = open()
  nvim:lua([[
    vim.diagnostic.set(vim.api.nvim_create_namespace('types'), 0, {
      { lnum = 5, col = 9, end_lnum = 5, end_col = 25, message = 'the title must open on click', severity = 1, source = 'ts' },
    })
  ]])
  nvim:type('6G:Assist fix<CR>')
  ended(nvim, 'done')
  has(simulator.requests()[1].lastUser, 'the title must open on click')
  local fixed = swap(PAGE, '<h1>{title}</h1>', '<h1 onClick={() => alert(title)}>{title}</h1>')
  same(nvim:text(), lines(fixed))
end)

test('explain', function()
  local nvim = open()
  nvim:type('5GV2j:Assist explain<CR>')
  nvim:wait('vim.fn.bufwinid("assist://answer") > 0')
  ended(nvim, 'done')
  nvim:wait('table.concat(vim.api.nvim_buf_get_lines(vim.fn.bufnr("assist://answer"), 0, -1, false), "\\n"):find("**heading**", 1, true) ~= nil')
  local text = nvim:text(nvim:lua('return vim.fn.bufnr("assist://answer")'))
  has(text, 'It shows the title as a **heading**.\n\nNothing more, and nöthing less.')
  same(nvim:text(), lines(PAGE))
  same(nvim:lua('return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":t")'), 'page.tsx', 'the cursor stays')
end)

test('new file', function()
  local nvim, folder = open()
  nvim:call('nvim_command', 'Assist add a Nav component')
  nvim:wait('require("assist.card").open() ~= nil')
  has(nvim:lua('return require("assist.card").open().question'), 'src/Nav.tsx')
  same(vim.uv.fs_stat(folder .. '/src/Nav.tsx'), nil, 'nothing is made before the yes')
  same(nvim:lua('return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":t")'), 'page.tsx', 'the cursor stays')
  nvim:call('nvim_command', 'Assist confirm')
  ended(nvim, 'done')
  has(driver.read(folder .. '/src/Nav.tsx'), 'export function Nav()')
  same(nvim:lua('return require("assist.card").open()'), vim.NIL)
  same(nvim:text(), lines(PAGE))
  nvim:call('nvim_command', 'Assist undo')
  assert(vim.wait(driver.PATIENCE, function()
    return vim.uv.fs_stat(folder .. '/src/Nav.tsx') == nil
  end, 5), 'undo takes the file away')
end)

test('plan', function()
  local nvim, folder = open()
  nvim:call('nvim_command', 'Assist talk people shall find their way')
  nvim:wait('require("assist.card").open() ~= nil and require("assist.card").open().reply ~= nil')
  same(driver.exists(folder .. '/src/Nav.tsx'), false, 'nothing is made before the yes')
  nvim:call('nvim_command', 'Assist answer')
  local card = nvim:text()
  for _, part in ipairs({ 'Visitors find their way. Shall I start?', '■ 1. **Add a navigation**', '`src/Nav.tsx`', '■ 3. **Say it in the footer**' }) do
    has(card, part)
  end
  has(card, 'Time: ')
  has(card, 'Cost: ')
  has(card, ' 1  Start')
  -- otherwise, in words
  nvim:lua("table.insert(_G.answers, 'Leave the footer alone')")
  nvim:type('c')
  nvim:wait('require("assist.card").open() ~= nil and #require("assist.card").open().steps == 2')
  nvim:wait('require("assist.card").open().reply ~= nil')
  nvim:call('nvim_command', 'Assist answer')
  assert(not nvim:text():find('footer', 1, true), nvim:text())
  -- one step is left out and taken in again
  nvim:type('gg/2\\. <CR><Space>')
  has(nvim:text(), '□ 2. **Show it**')
  has(nvim:text(), ' 1  Start with 1 of 2 steps')
  nvim:type('<Space>')
  has(nvim:text(), '■ 2. **Show it**')
  nvim:type('1')
  ended(nvim, 'done')
  has(driver.read(folder .. '/src/Nav.tsx'), 'export function Nav()')
  has(driver.read(folder .. '/src/top.tsx'), 'export function Top()')
  nvim:wait('vim.fn.bufwinid("assist://answer") > 0')
  nvim:wait('table.concat(vim.api.nvim_buf_get_lines(vim.fn.bufnr("assist://answer"), 0, -1, false), "\\n"):find("The navigation is there.", 1, true) ~= nil')
end)

test('delivery', function()
  local nvim, folder = open(nil, {
    ['assist.toml'] = '[forge]\nrepository = "ada/visitors"\n[deploy]\napplication = "visitors1"\n',
  })
  local function git(...)
    local done = vim.system({ 'git', ... }, { cwd = folder, text = true }):wait()
    assert(done.code == 0, done.stderr)
    return vim.trim(done.stdout)
  end
  git('init', '-q', '-b', 'main')
  for name, value in pairs({ ['user.name'] = 'Ada', ['user.email'] = 'ada@example.com', ['commit.gpgsign'] = 'false' }) do
    git('config', name, value)
  end
  git('add', '.')
  git('commit', '-q', '-m', 'First')
  nvim:call('nvim_command', 'Assist talk people shall find their way')
  nvim:wait('require("assist.card").open() ~= nil and require("assist.card").open().reply ~= nil')
  nvim:call('nvim_command', 'Assist answer')
  local card = nvim:text()
  for _, part in ipairs({ '□ Commit what is changed', '□ Push `main` to `ada/visitors`', '□ Deploy `visitors` at', ' 1  Start\n 2  Not now' }) do
    has(card, part)
  end
  assert(not card:find('--push', 1, true), card)
  -- a deployment brings the push and the commit; without the commit there is neither
  nvim:type('gg/Deploy <CR><Space>')
  for _, part in ipairs({ '■ Commit', '■ Push', '■ Deploy' }) do
    has(nvim:text(), part)
  end
  nvim:type('gg/Commit <CR><Space>')
  for _, part in ipairs({ '□ Commit', '□ Push', '□ Deploy' }) do
    has(nvim:text(), part)
  end
  nvim:type('gg/Deploy <CR><Space>')
  nvim:type('1')
  ended(nvim, 'done')
  same(git('log', '-1', '--format=%s'), 'Visitors find their way')
  local login = 'http.extraHeader=Authorization: Basic ' .. vim.base64.encode('ada:gt-nvim')
  local there = git('-c', login, 'ls-remote', vim.env.ASSIST_TEST_SIMULATOR .. '/ada/visitors.git', 'refs/heads/main')
  same(vim.split(there, '\t')[1], git('rev-parse', 'HEAD'))
  has(nvim:lua('return ' .. newest('summary')), 'Deployed visitors: https://visitors.example.')
end)

test('adopt', function()
  local folder = driver.folder({ ['src/page.tsx'] = PAGE })
  local function terminal(env, ...)
    local done = vim.system({ os.getenv('ASSIST_TEST_BIN'), ... }, { cwd = folder, env = env, text = true }):wait()
    same(done.code, 0, done.stderr)
    return done.stdout
  end
  -- somebody else worked in this folder
  terminal({ ASSIST_DATA_DIR = vim.fn.tempname() }, 'memory', 'add', 'Colour', 'Green')
  local nvim = driver.start({ cwd = folder, setup = 'require("assist").setup({ cmd = vim.env.ASSIST_TEST_BIN })' })
  nvim:edit(folder .. '/src/page.tsx')
  nvim:attached()
  nvim:wait('require("assist.card").open() ~= nil and require("assist.card").open().reply ~= nil')
  nvim:call('nvim_command', 'Assist answer')
  has(nvim:text(), 'was not made by you')
  has(nvim:text(), ' 1  Adopt')
  nvim:lua('_G.told = {} vim.notify = function(words) table.insert(_G.told, words) end')
  nvim:type('1')
  nvim:wait('vim.iter(_G.told):any(function(words) return words:find("is yours from now on", 1, true) ~= nil end)')
  has(terminal(nil, 'memory', 'list'), 'Green')
  nvim:call('nvim_command', 'Assist adopt')
  nvim:wait('vim.iter(_G.told):any(function(words) return words:find("was yours already", 1, true) ~= nil end)')
end)

test('some steps', function()
  local nvim, folder = open()
  nvim:call('nvim_command', 'Assist talk people shall find their way')
  nvim:wait('require("assist.card").open() ~= nil and require("assist.card").open().reply ~= nil')
  nvim:call('nvim_command', 'Assist confirm 1')
  ended(nvim, 'done')
  has(driver.read(folder .. '/src/Nav.tsx'), 'export function Nav()')
  same(driver.exists(folder .. '/src/top.tsx'), false)
end)

test('question put away', function()
  local nvim, folder = open()
  nvim:call('nvim_command', 'Assist add a Nav component')
  nvim:wait('require("assist.card").open() ~= nil and require("assist.card").open().reply ~= nil')
  nvim:call('nvim_command', 'Assist answer')
  nvim:type('q')
  same(nvim:lua('return require("assist.card").open()'), vim.NIL)
  nvim:request('assist/status')
  same(nvim:lua('return ' .. newest('state')), 'awaiting_confirmation', 'it waits')
  nvim:call('nvim_command', 'Assist decline')
  ended(nvim, 'done')
  same(vim.uv.fs_stat(folder .. '/src/Nav.tsx'), nil)
end)

test('undo command', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  ended(nvim, 'done')
  nvim:type('/care<CR>iuser <Esc>')
  nvim:call('nvim_command', 'Assist undo')
  nvim:wait('not table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\\n"):find("setOpen", 1, true)')
  same(nvim:text(), lines(swap(PAGE, 'with care', 'with user care')), 'what was typed later stays')
end)

test('two runs', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  nvim:type('9GV2j:Assist say it warmer<CR>')
  simulator.held(2) -- both are in the middle
  simulator.release()
  nvim:wait('#require("assist.runs").all() == 2 and not vim.iter(require("assist.runs").all()):any(require("assist.runs").is_live)')
  same(nvim:text(), lines(swap(AFTER, 'made with care', 'made with love')))
end)

test('without a name', function()
  local nvim = open()
  nvim:call('nvim_command', 'enew')
  nvim:lua('vim.bo.filetype = "typescriptreact"')
  nvim:lua('vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split((...), "\\n"))', lines(PAGE))
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  -- without a file name the language is the one of the buffer: nobody is asked
  ended(nvim, 'done')
  same(nvim:text(), lines(AFTER))
  nvim:type('u')
  same(nvim:text(), lines(PAGE))
end)

test('no model', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  nvim:wait('#_G.said > 0 and _G.pending_select ~= nil')
  has(nvim:lua('return _G.said[1]'), 'assist auth set')
  same(nvim:text(), lines(PAGE))
  same(nvim:lua('return #require("assist.runs").all()'), 0)
  -- the server works on
  nvim:call('nvim_command', 'checkhealth assist')
  has(nvim:text(), 'The assist binary')
  has(nvim:text(), 'No model provider is set up')
end)

test('quit', function()
  local nvim, folder = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  nvim:stop()
  simulator.disconnected(1)
  local command = { os.getenv('ASSIST_TEST_BIN'), 'sessions', '--json' }
  -- the server lets go of the model first, and says then that the run rests
  local listed
  assert(vim.wait(driver.PATIENCE, function()
    listed = vim.system(command, { cwd = folder, text = true }):wait()
    return listed.stdout:find('"paused"', 1, true) ~= nil
  end, 5), 'it does not rest: ' .. listed.stdout)
  has(listed.stdout, 'editor_closed')
  same(driver.read(folder .. '/src/page.tsx'), PAGE)
  -- the next Neovim goes on with it
  local again = driver.start({
    cwd = folder,
    setup = 'require("assist").setup({ cmd = vim.env.ASSIST_TEST_BIN })',
  })
  again:edit(folder .. '/src/page.tsx')
  again:attached()
  again:call('nvim_command', 'Assist resume ' .. vim.json.decode(listed.stdout).sessions[1].run)
  again:wait('require("assist.runs").newest() and require("assist.runs").newest().state == "done"')
  local ok, why = pcall(ended, again, 'done')
  assert(ok, tostring(why) .. '\n' .. vim.inspect(simulator.requests()[2]))
  same(again:text(), lines(AFTER))
end)

local function stands(nvim, state)
  nvim:wait(('require("assist.runs").newest() and require("assist.runs").newest().state == %q'):format(state))
end

--- Waits until the run of a Neovim that has gone rests: its server says so after it has let go of the model.
local function rests(folder)
  local listed
  assert(vim.wait(driver.PATIENCE, function()
    listed = vim.system({ os.getenv('ASSIST_TEST_BIN'), 'sessions', '--json' }, { cwd = folder, text = true }):wait()
    return listed.stdout:find('"paused"', 1, true) ~= nil
  end, 5), 'it does not rest')
end

test('reopened', function()
  local nvim, folder = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  nvim:stop()
  rests(folder)
  local again = driver.start({ cwd = folder, setup = 'require("assist").setup({ cmd = vim.env.ASSIST_TEST_BIN })' })
  again:edit(folder .. '/src/page.tsx')
  again:wait('require("assist.card").open() ~= nil')
  local card = again:lua('local card = require("assist.card").open() return { card.question, card.choices }')
  same(card[1], '“make the title open on click” is paused: its editor was closed.')
  same(card[2], { 'Resume', 'Show', 'Not now' })
  same(again:mode(), 'n')
  same(again:text(), lines(PAGE))
  same(again:lua('return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":t")'), 'page.tsx', 'the cursor stays')
  same(#simulator.requests(), 1, 'nothing begins by itself')
  again:call('nvim_command', 'Assist answer')
  again:type('1')
  stands(again, 'done')
  same(again:lua('return require("assist.card").open()'), vim.NIL)
  same(again:text(), lines(AFTER))
end)

test('steering', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  same(nvim:lua('return require("assist.commands").complete("pa", "Assist pa")'), { 'pause' })
  nvim:call('nvim_command', 'Assist pause')
  simulator.disconnected(1)
  stands(nvim, 'paused')
  nvim:call('nvim_command', 'Assist tell keep the heading')
  nvim:wait('vim.tbl_contains(_G.said, "It minds that when it goes on.")')
  -- the list of runs has the same under keys
  nvim:call('nvim_command', 'Assist runs')
  nvim:wait('vim.api.nvim_buf_get_name(0):find("sessions$") ~= nil')
  has(nvim:text(), 'paused')
  nvim:type('r')
  stands(nvim, 'done')
  nvim:wait('table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\\n"):find("✓", 1, true) ~= nil')
  nvim:type('q')
  same(nvim:text(), lines(AFTER))
end)

test('follow', function()
  local nvim, folder = open()
  local command = { os.getenv('ASSIST_TEST_BIN'), 'ask', '--detach', 'people shall find their way' }
  local begun = vim.system(command, { cwd = folder, text = true }):wait()
  same(begun.code, 0, begun.stderr)
  nvim:wait('require("assist.runs").newest() and require("assist.runs").newest().state == "awaiting_confirmation"')
  same(nvim:lua('return require("assist").status()'), 'Assist: 1 elsewhere')
  same(nvim:lua('return require("assist.card").open()'), vim.NIL, 'it asks where it was begun')
  nvim:call('nvim_command', 'Assist follow')
  nvim:wait('require("assist.card").open() ~= nil')
  same(#nvim:lua('return require("assist.card").open().steps'), 3)
  nvim:wait('vim.api.nvim_buf_get_name(0):find("log$") ~= nil')
  nvim:call('nvim_command', 'Assist answer')
  nvim:type('1')
  stands(nvim, 'done')
  has(driver.read(folder .. '/src/Nav.tsx'), 'export function Nav()')
  has(driver.read(folder .. '/src/top.tsx'), 'export function Top()')
  nvim:wait('table.concat(vim.api.nvim_buf_get_lines(vim.fn.bufnr("assist://log"), 0, -1, false), "\\n"):find("completed", 1, true) ~= nil')
end)

test('plain, reopened', function()
  local nvim, folder = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  simulator.held(1)
  nvim:stop()
  rests(folder)
  local plain = driver.start({ cwd = folder, plugin = false })
  plain:edit(folder .. '/src/page.tsx')
  plain:lua([[
    _G.told = {}
    vim.lsp.start({
      name = 'assist',
      cmd = { vim.env.ASSIST_TEST_BIN, 'lsp' },
      root_dir = vim.fn.getcwd(),
      handlers = { ['window/showMessage'] = function(_, params) table.insert(_G.told, params.message) end },
    })
  ]])
  plain:wait('#_G.told > 0')
  has(plain:lua('return _G.told[1]'), 'is paused: its editor was closed. The code action “Assist: Continue waiting run” goes on with it.')
  same(plain:lua('return #_G.asked'), 0)
end)

test('health', function()
  local nvim = open()
  nvim:call('nvim_command', 'checkhealth assist')
  local text = nvim:text()
  has(text, 'anthropic')
  has(text, 'This project')
  has(text, 'positions')
  assert(not text:find('ERROR', 1, true), text)
end)

test('sessions and log', function()
  local nvim = open()
  nvim:type('5GV2j:Assist make the title open on click<CR>')
  ended(nvim, 'done')
  nvim:call('nvim_command', 'Assist sessions')
  nvim:wait('vim.api.nvim_buf_get_name(0):find("sessions$") ~= nil')
  has(nvim:text(), 'make the title open on click')
  has(nvim:text(), 'done')
  nvim:type('<CR>')
  nvim:wait('vim.api.nvim_buf_get_name(0):find("log$") ~= nil')
  has(nvim:text(), 'component_applied')
end)

driver.run(tests)
