--- Options: their defaults, and a check that says which one is wrong. `:help assist-options` documents each.

local M = {}

---@class assist.Options
---@field cmd? string|string[] the `assist` binary, or a command that starts it; looked for when nil
---@field autostart boolean attach to files as they are opened; otherwise at the first question
---@field filetypes? string[] only these file types; nil means every file
---@field settings table sent to the server: provider, model, apply, pipeline, trusted
---@field keymaps boolean|table<string, string> suggested mappings, or mappings of one's own by name
---@field progress boolean the small window at the bottom right while a run works
---@field answer "auto"|"vsplit"|"split"|"float"|false where answers appear; false: only on `:Assist answer`
---@field questions "card"|"select" how a run's questions are shown
---@field flash integer milliseconds that a change stays highlighted, 0 to turn it off
---@field linger integer milliseconds that a finished run stays in the small window
---@field edits "careful"|"stock" `stock` leaves edits to Neovim's own handler
---@field save boolean write the files that a run changed when it is done, if they had no unsaved changes before
---@field on_event? fun(event: table) called with every event of every run
local defaults = {
  cmd = nil,
  autostart = true,
  filetypes = nil,
  settings = {},
  keymaps = false,
  progress = true,
  answer = 'auto',
  questions = 'card',
  flash = 700,
  linger = 5000,
  edits = 'careful',
  save = true,
  on_event = nil,
}

local shapes = {
  cmd = { 'string', 'table' },
  autostart = { 'boolean' },
  filetypes = { 'table' },
  settings = { 'table' },
  keymaps = { 'boolean', 'table' },
  progress = { 'boolean' },
  answer = { 'auto', 'vsplit', 'split', 'float', false },
  questions = { 'card', 'select' },
  flash = { 'number' },
  linger = { 'number' },
  edits = { 'careful', 'stock' },
  save = { 'boolean' },
  on_event = { 'function' },
}

local types = { string = true, table = true, boolean = true, number = true, ['function'] = true }

local function fits(value, shape)
  for _, allowed in ipairs(shape) do
    if types[allowed] and type(value) == allowed or value == allowed then
      return true
    end
  end
  return false
end

---@type assist.Options
M.options = vim.deepcopy(defaults)

--- Takes the user's options over the defaults. A wrong one is an error that names it.
---@param given? table
function M.set(given)
  local options = vim.deepcopy(defaults)
  for name, value in pairs(given or {}) do
    local shape = shapes[name]
    if not shape then
      error(('assist: there is no option `%s`, see :help assist-options'):format(name), 0)
    end
    if not fits(value, shape) then
      local allowed = vim.tbl_map(tostring, shape)
      local message = 'assist: option `%s` must be %s, see :help assist-options'
      error(message:format(name, table.concat(allowed, ' or ')), 0)
    end
    options[name] = value
  end
  M.options = options
end

return M
