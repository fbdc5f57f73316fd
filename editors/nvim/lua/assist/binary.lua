--- Finds the `assist` binary.

local config = require('assist.config')

local M = {}

--- The places that are looked at, in this order; the first executable one wins.
---@return {where: string, path: string}[]
local function candidates()
  local found = {}
  local function add(where, path)
    if path and path ~= '' then
      found[#found + 1] = { where = where, path = path }
    end
  end
  add('$ASSIST_BIN', vim.env.ASSIST_BIN)
  add('PATH', 'assist')
  add('~/.cargo/bin', vim.fs.normalize('~/.cargo/bin/assist'))
  -- this file is editors/nvim/lua/assist/binary.lua of the repository, if the plugin runs from a checkout
  local here = debug.getinfo(1, 'S').source:gsub('^@', '')
  local top = vim.fn.fnamemodify(here, ':p:h:h:h:h:h')
  add('target/release', top .. '/target/release/assist')
  return found
end

--- The command that starts the binary, without arguments.
---@return string[]? command
---@return string? problem one sentence with the fix
---@return string? where it was found
function M.find()
  local cmd = config.options.cmd
  if cmd then
    local command = type(cmd) == 'table' and vim.deepcopy(cmd) or { cmd }
    if type(command[1]) == 'string' and vim.fn.executable(command[1]) == 1 then
      return command, nil, 'the option cmd'
    end
    local message = 'Assist cannot start `%s`: set the option `cmd` of require("assist").setup to the assist binary.'
    return nil, message:format(tostring(command[1]))
  end
  for _, candidate in ipairs(candidates()) do
    if vim.fn.executable(candidate.path) == 1 then
      return { vim.fn.exepath(candidate.path) }, nil, candidate.where
    end
  end
  return nil,
    'Assist cannot find its binary: put `assist` on the PATH, or set the option `cmd` or the variable ASSIST_BIN.'
end

return M
