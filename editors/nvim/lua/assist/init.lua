--- Assist in Neovim: `require("assist").setup{}`. See `:help assist`.

local M = {}

local ready = false

local suggested = {
  ask = '<leader>aa',
  fix = '<leader>af',
  explain = '<leader>ae',
  cancel = '<leader>ac',
  undo = '<leader>au',
  answer = '<leader>aw',
}

local function highlights()
  local links = {
    AssistTarget = 'Visual',
    AssistWorking = 'CursorLine',
    AssistChanged = 'DiffAdd',
    AssistSpinner = 'DiagnosticInfo',
    AssistAsks = 'DiagnosticWarn',
    AssistYes = 'DiagnosticOk',
    AssistNo = 'Normal',
    AssistFailed = 'DiagnosticError',
    AssistTitle = 'Title',
    AssistText = 'Normal',
    AssistHint = 'Comment',
    AssistFloat = 'Normal',
    AssistBorder = 'Comment',
  }
  for name, link in pairs(links) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
end

local function keymaps(given)
  if not given then
    return
  end
  local maps = type(given) == 'table' and given or suggested
  for verb, keys in pairs(maps) do
    local modes = (verb == 'cancel' or verb == 'undo' or verb == 'answer') and 'n' or { 'n', 'x' }
    vim.keymap.set(modes, keys, ('<Plug>(assist-%s)'):format(verb), { desc = 'Assist: ' .. verb })
  end
end

local function attach(bufnr)
  local config = require('assist.config')
  local documents = require('assist.documents')
  if not config.options.autostart or not documents.is_file(bufnr) then
    return
  end
  local wanted = config.options.filetypes
  if wanted and not vim.tbl_contains(wanted, vim.bo[bufnr].filetype) then
    return
  end
  if not require('assist.binary').find() then
    return -- said when something is asked, and by :checkhealth
  end
  require('assist.client').attach(bufnr)
end

local function autocommands()
  local group = vim.api.nvim_create_augroup('assist', { clear = true })
  vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'FileType' }, {
    group = group,
    callback = function(event)
      -- after the file type is known and modelines are read
      vim.schedule(function()
        if vim.api.nvim_buf_is_valid(event.buf) then
          attach(event.buf)
        end
      end)
    end,
  })
  vim.api.nvim_create_autocmd({ 'BufFilePost', 'BufWritePost' }, {
    group = group,
    callback = function(event)
      local documents = require('assist.documents')
      if event.event == 'BufFilePost' then
        documents.named(event.buf)
        documents.noticed(event.buf, 'renamed')
      else
        documents.noticed(event.buf, 'written')
        attach(event.buf)
      end
    end,
  })
  vim.api.nvim_create_autocmd('ColorScheme', { group = group, callback = highlights })
end

--- Sets Assist up. All options may be left out.
---@param options? table see `:help assist-options`
function M.setup(options)
  if vim.fn.has('nvim-0.10') == 0 then
    error('assist: Neovim 0.10 or newer is needed', 0)
  end
  require('assist.config').set(options)
  highlights()
  keymaps(require('assist.config').options.keymaps)
  autocommands()
  if not ready then
    ready = true
    require('assist.runs').listen(function()
      require('assist.progress').update()
    end)
  end
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      attach(bufnr)
    end
  end
end

--- Sets Assist up with defaults if nobody has.
function M.ensure_setup()
  if not ready then
    M.setup()
  end
end

--- Asks about the current buffer.
---@param question string|{prompt?: string, intent?: string, first?: integer, last?: integer} lines from 1; words alone are enough
function M.ask(question)
  M.ensure_setup()
  if type(question) == 'string' then
    question = { prompt = question }
  end
  question = question or {}
  local range
  if question.first then
    local position = require('assist.position')
    range = position.lines(0, question.first, question.last or question.first)
  end
  require('assist.ask').about(question.intent or 'ask', question.prompt, range)
end

--- What runs, in a few words for a status line; empty when nothing does.
---@return string
function M.status()
  return ready and require('assist.progress').status() or ''
end

return M
