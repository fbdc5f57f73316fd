-- Takes pictures of the plugin at work: a real Neovim in a real terminal (tmux), the real server, the simulator as the model. Run from the
-- repository, after `cargo build -p assist -p assist-simulator`:
--   nvim -l tests/nvim/capture.lua FOLDER [dark|light] [COLUMNS]
-- ASSIST_TEST_BIN and ASSIST_SIMULATOR name the programs if they are not in target/debug, ASSIST_TEST_NVIM the Neovim to show. The folder
-- gets NAME.ansi (what the terminal showed) and NAME.svg (the same drawn by svg.lua) for each scene, and where Chromium is installed NAME.png.
-- editors/nvim/images/ask.png is the scene `working`.

package.path = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2)) .. '/?.lua;' .. package.path
local driver = require('driver')

local COLUMNS, ROWS = tonumber(arg[3]) or 100, 34

local top = vim.fs.dirname(vim.fs.dirname(driver.here))
local out = assert(arg[1], 'name the folder for the pictures')
vim.fn.mkdir(out, 'p')
local assist = os.getenv('ASSIST_TEST_BIN') or top .. '/target/debug/assist'
local simulator = os.getenv('ASSIST_SIMULATOR') or top .. '/target/debug/assist-simulator'

local work = driver.folder({
  ['src/Pricing.tsx'] = driver.read(driver.here .. '/capture/Pricing.tsx'),
  ['src/plans.ts'] = driver.read(driver.here .. '/capture/plans.ts'),
})
local home = vim.fn.tempname()
vim.fn.mkdir(home, 'p')

local script = home .. '/script.json'
local spoken = dofile(driver.here .. '/capture/script.lua')
-- it is the forge as well
spoken.gitea = { root = home .. '/forge', login = 'ada', token = 'gt-picture' }
vim.fn.writefile({ vim.json.encode(spoken) }, script)
for _, words in ipairs({
  { 'init', '-q', '-b', 'main' },
  { 'add', '.' },
  { '-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'commit.gpgsign=false', 'commit', '-q', '-m', 'First' },
}) do
  assert(vim.system(vim.list_extend({ 'git', '-C', work }, words)):wait().code == 0, words[1])
end
local url
local model = vim.fn.jobstart({ simulator, '--script', script }, {
  on_stdout = function(_, data)
    url = url or data[1]:match('^http://%S+')
  end,
})
assert(model > 0 and vim.wait(10000, function()
  return url ~= nil
end, 10), 'the simulator does not start: ' .. simulator)
vim.env.ASSIST_TEST_SIMULATOR = url
local held = require('simulator')

-- The Neovim that is shown runs headless; a second one is its screen in tmux. So the driver talks to it directly.
local socket = home .. '/nvim.sock'
local init = home .. '/init.lua'
vim.fn.writefile({
  ('vim.opt.runtimepath:prepend(%q)'):format(top .. '/editors/nvim'),
  'vim.o.number, vim.o.swapfile, vim.o.showmode, vim.o.ruler = true, false, true, true',
  'vim.o.termguicolors = true',
  ('vim.o.background = %q'):format(arg[2] or 'dark'),
  ('require("assist").setup({ cmd = %q })'):format(assist),
}, init)
local env = {
  HOME = home,
  XDG_CONFIG_HOME = home .. '/config',
  XDG_STATE_HOME = home .. '/state',
  XDG_DATA_HOME = home .. '/data',
  ANTHROPIC_BASE_URL = url,
  ANTHROPIC_API_KEY = 'sk-simulated',
  GITEA_URL = url,
  GITEA_TOKEN = 'gt-picture',
  ASSIST_CONFIG_DIR = home .. '/assist',
  NVIM = '',
}
local shown = vim.fn.jobstart({ driver.nvim, '--clean', '--headless', '--listen', socket, '-u', init }, { env = env, cwd = work })
assert(shown > 0 and vim.wait(10000, function()
  return vim.uv.fs_stat(socket) ~= nil
end, 10), 'Neovim does not start')

local function tmux(...)
  local done = vim.system({ 'tmux', '-L', 'assist-capture', '-f', '/dev/null', ... }, { text = true }):wait()
  assert(done.code == 0, 'tmux: ' .. (done.stderr or ''))
  return done.stdout
end
local screen = ('env TERM=tmux-256color COLORTERM=truecolor %s --server %s --remote-ui'):format(
  vim.fn.shellescape(driver.nvim),
  vim.fn.shellescape(socket)
)
tmux('new-session', '-d', '-x', COLUMNS, '-y', ROWS, screen)

local nvim = driver.connect(socket)
nvim:wait('#vim.api.nvim_list_uis() == 1')

local browser = vim.iter({ 'chromium', 'chromium-browser', 'google-chrome' }):find(function(name)
  return vim.fn.executable(name) == 1
end)

--- Has Chromium draw an SVG file as PNG.
local function raster(name)
  local svg = ('%s/%s.svg'):format(vim.fn.fnamemodify(out, ':p'), name)
  local width, height = driver.read(svg):match('viewBox="0 0 ([%d.]+) ([%d.]+)"')
  local arguments = { browser, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars' }
  vim.list_extend(arguments, {
    '--default-background-color=00000000',
    '--force-device-scale-factor=1.5',
    ('--window-size=%d,%d'):format(math.ceil(tonumber(width)), math.ceil(tonumber(height))),
    ('--user-data-dir=%s/chromium'):format(home),
    ('--screenshot=%s'):format((svg:gsub('svg$', 'png'))),
    'file://' .. svg,
  })
  local done = vim.system(arguments, { text = true }):wait(60000)
  assert(done.code == 0, done.stderr)
end

--- Takes a picture once the terminal shows `text` and has come to rest.
local function picture(name, text)
  local before, now
  local ok = vim.wait(20000, function()
    before, now = now, tmux('capture-pane', '-e', '-p', '-N')
    local plain = now:gsub('\27%[[%d;:]*m', '')
    return plain:find(text, 1, true) ~= nil and (before == now or plain:find('[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]') ~= nil)
  end, 60)
  assert(ok, ('%s: the terminal never showed %q:\n%s'):format(name, text, now))
  local file = assert(io.open(('%s/%s.ansi'):format(out, name), 'w'))
  file:write(now)
  file:close()
  local drawn = vim.system({ driver.nvim, '--clean', '--headless', '-l', driver.here .. '/svg.lua', 'nvim', tostring(COLUMNS) }, {
    stdin = now,
    text = true,
  }):wait()
  assert(drawn.code == 0, drawn.stderr)
  file = assert(io.open(('%s/%s.svg'):format(out, name), 'w'))
  file:write(drawn.stdout)
  file:close()
  if browser then
    raster(name)
  end
  print(('%s/%s.svg'):format(out, name))
end

local function settled()
  nvim:wait('require("assist.runs").newest() and not require("assist.runs").is_live(require("assist.runs").newest())')
end

local ok, problem = xpcall(function()
  nvim:edit('src/Pricing.tsx')
  nvim:attached()
  nvim:lua('require("assist.config").options.flash = 600000') -- pictures do not fade
  nvim:type('4GVG')
  nvim:type(':Assist Let people pay by the year')
  picture('asking', 'Let people pay by the year')
  nvim:type('<CR>')
  held.held(1)
  picture('working', 'PlanCard')
  held.release()
  settled()
  picture('done', 'undo takes it back')

  nvim:lua([[
    local options = require('assist.config').options
    options.linger, options.flash = 0, 0
    vim.api.nvim_buf_clear_namespace(0, vim.api.nvim_create_namespace('assist-flash'), 0, -1)
  ]])
  nvim:wait('#require("assist.progress").lines() == 0')
  nvim:call('nvim_command', 'Assist Put the switch into a file of its own')
  picture('question', 'Create src/BillingToggle.tsx?')
  nvim:call('nvim_command', 'Assist decline')
  settled()
  nvim:call('nvim_command', 'Assist talk More people shall take the Team plan')
  nvim:wait('require("assist.card").open() ~= nil and require("assist.card").open().reply ~= nil')
  nvim:call('nvim_command', 'Assist answer')
  nvim:type('gg/3\\. <CR><Space>')
  picture('plan', 'with 2 of 3 steps')
  nvim:type('2')
  settled()
  nvim:type('24GVG:Assist explain<CR>')
  settled()
  picture('answer', 'Nothing is sent')
end, debug.traceback)
pcall(tmux, 'kill-server')
nvim:stop()
vim.fn.jobstop(shown)
vim.fn.jobstop(model)
if not ok then
  io.stderr:write(problem, '\n')
end
os.exit(ok and 0 or 1)
