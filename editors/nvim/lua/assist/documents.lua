--- The documents that the server knows: which buffers may be one, at which version each is, and buffers without a name, which Neovim's
--- client cannot sync because they have no address. Those are sent by this module under `untitled:` addresses.

local M = {}

--- The server reads no file above this.
local MAX_BYTES = 10 * 1024 * 1024

---@class assist.Document
---@field tick? integer `changedtick` of the last change of text since the document was opened
---@field untitled? {client: integer, uri: string, dirty: boolean}
---@field renamed? boolean
---@type table<integer, assist.Document>
local documents = {}

local function full_text(bufnr)
  local text = table.concat(vim.api.nvim_buf_get_lines(bufnr, 0, -1, true), '\n')
  if vim.bo[bufnr].eol or vim.bo[bufnr].fixeol and not vim.bo[bufnr].binary then
    text = text .. '\n'
  end
  return text
end

--- Whether the buffer holds text that a person edits, rather than a list, a terminal or a help page.
---@param bufnr integer
---@return boolean
function M.is_text(bufnr)
  return vim.api.nvim_buf_is_valid(bufnr) and vim.api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].buftype == ''
end

--- Whether the buffer is a file of the local disk that the server may be told about.
---@param bufnr integer
---@return boolean
---@return string? why not, in a sentence
function M.is_file(bufnr)
  if not M.is_text(bufnr) then
    return false, 'Assist works on files; this buffer is none.'
  end
  local name = vim.api.nvim_buf_get_name(bufnr)
  if name == '' then
    return false, 'This buffer has no file.'
  end
  if name:match('^%a[%w+.-]+:') then -- one letter would be a drive
    return false, 'Assist works on files of this machine; this buffer is at another address.'
  end
  if vim.fn.isdirectory(name) == 1 then
    return false, 'This buffer is a folder.'
  end
  local bytes = vim.api.nvim_buf_get_offset(bufnr, vim.api.nvim_buf_line_count(bufnr))
  if bytes > MAX_BYTES then
    return false, 'This file is larger than 10 MB, which Assist does not read.'
  end
  return true
end

--- The folder that a buffer's server works in: the nearest with `.assist`, else the nearest with `.git`, else the working directory
--- if the file is below it (and it is not the home folder itself), else the file's folder.
---@param bufnr integer
---@return string
function M.root(bufnr)
  local cwd = vim.fs.normalize(vim.fn.getcwd())
  local name = vim.api.nvim_buf_get_name(bufnr)
  local from = cwd
  if vim.bo[bufnr].buftype == '' and name ~= '' and not name:match('^%a[%w+.-]+:') then
    from = vim.fs.dirname(vim.fs.normalize(name))
  end
  local marked = vim.fs.root(from, '.assist') or vim.fs.root(from, '.git')
  if marked then
    return vim.fs.normalize(marked)
  end
  local home = vim.fs.normalize('~')
  if cwd ~= '/' and cwd ~= home and (from .. '/'):sub(1, #cwd + 1) == cwd .. '/' then
    return cwd
  end
  return from
end

--- The address under which the server knows the buffer.
---@param bufnr integer
---@return string
function M.uri(bufnr)
  local document = documents[bufnr]
  if document and document.untitled then
    return document.untitled.uri
  end
  return vim.uri_from_bufnr(bufnr)
end

--- The buffer behind an address, if it is open here.
---@param uri string
---@return integer?
function M.buffer(uri)
  for bufnr, document in pairs(documents) do
    if document.untitled and document.untitled.uri == uri then
      return bufnr
    end
  end
  if uri:match('^untitled:') then
    return nil
  end
  -- not vim.uri_to_bufnr: that would make a buffer
  local path = vim.uri_to_fname(uri)
  for bufnr in pairs(documents) do
    if vim.api.nvim_buf_is_loaded(bufnr) and vim.uri_to_fname(vim.uri_from_bufnr(bufnr)) == path then
      return bufnr
    end
  end
  return nil
end

--- The version that a position in the buffer as it is now belongs to.
---@param bufnr integer
---@return integer
function M.version(bufnr)
  local document = documents[bufnr]
  if document and document.tick then
    return document.tick
  end
  return not (document and document.untitled) and vim.lsp.util.buf_versions[bufnr] or 0
end

--- Writes a document that a run changed: `assist/save` of the server's PROTOCOL.md.
---@param params {uri: string, version: integer}
---@return {saved: boolean, reason?: string}
function M.save(params)
  if not require('assist.config').options.save then
    return { saved = false, reason = 'the option `save` is off' }
  end
  local bufnr = M.buffer(params.uri)
  if not bufnr or vim.bo[bufnr].buftype ~= '' then
    return { saved = false, reason = 'the document is not open' }
  end
  if M.version(bufnr) ~= params.version then
    return { saved = false, reason = 'the document has changed since' }
  end
  local ok, problem = pcall(vim.api.nvim_buf_call, bufnr, function()
    vim.cmd('silent lockmarks update')
  end)
  if not ok or vim.bo[bufnr].modified then
    return { saved = false, reason = ok and 'it was not written' or tostring(problem) }
  end
  return { saved = true }
end

--- Follows a buffer's changes. Called when the server is told about the document.
---@param bufnr integer
function M.follow(bufnr)
  if documents[bufnr] then
    return
  end
  local document = {}
  documents[bufnr] = document
  vim.api.nvim_buf_attach(bufnr, false, {
    on_lines = function(_, _, tick)
      if documents[bufnr] ~= document then
        return true
      end
      document.tick = tick
      if document.untitled and not document.untitled.dirty then
        document.untitled.dirty = true
        vim.schedule(function()
          M.flush(bufnr)
        end)
      end
    end,
    on_reload = function()
      -- Neovim closes and opens the document again, from version 0
      if not document.untitled then
        document.tick = nil
      end
    end,
    on_detach = function()
      if documents[bufnr] == document then
        M.close(bufnr)
      end
    end,
  })
end

--- After a file was written under a new name Neovim has opened it again, from version 0.
---@param bufnr integer
---@param happened "renamed"|"written"
function M.noticed(bufnr, happened)
  local document = documents[bufnr]
  if not document or document.untitled then
    return
  end
  if happened == 'renamed' then
    document.renamed = true
  elseif document.renamed then
    document.renamed = nil
    document.tick = nil
  end
end

---@param client_id integer
local function notify(client_id, method, params)
  local client = vim.lsp.get_client_by_id(client_id)
  if client then
    require('assist.client').notify(client, method, params)
  end
end

--- Opens a buffer that has no name.
---@param bufnr integer
---@param client_id integer
function M.open_untitled(bufnr, client_id)
  M.follow(bufnr)
  local document = documents[bufnr]
  if document.untitled and document.untitled.client == client_id then
    return
  end
  document.untitled = { client = client_id, uri = 'untitled:Untitled-' .. bufnr, dirty = false }
  notify(client_id, 'textDocument/didOpen', {
    textDocument = {
      uri = document.untitled.uri,
      languageId = vim.bo[bufnr].filetype,
      version = M.version(bufnr),
      text = full_text(bufnr),
    },
  })
end

--- A buffer without a name has got one: it is another document now.
---@param bufnr integer
function M.named(bufnr)
  local document = documents[bufnr]
  if document and document.untitled and vim.api.nvim_buf_get_name(bufnr) ~= '' then
    M.close(bufnr)
  end
end

--- Sends what the server has not seen yet of a buffer.
---@param bufnr integer
---@param client? vim.lsp.Client
function M.flush(bufnr, client)
  local document = documents[bufnr]
  if document and document.untitled then
    local untitled = document.untitled
    if untitled.dirty and vim.api.nvim_buf_is_loaded(bufnr) then
      untitled.dirty = false
      notify(untitled.client, 'textDocument/didChange', {
        textDocument = { uri = untitled.uri, version = M.version(bufnr) },
        contentChanges = { { text = full_text(bufnr) } },
      })
    end
    return
  end
  if not client then
    return
  end
  local ok, tracking = pcall(require, 'vim.lsp._changetracking')
  if ok and type(tracking.flush) == 'function' then
    tracking.flush(client, bufnr)
  else
    -- every request sends pending changes first
    require('assist.client').request(client, 'assist/status', vim.empty_dict(), function() end, bufnr)
  end
end

--- Forgets a buffer, and closes it if this module opened it.
---@param bufnr integer
function M.close(bufnr)
  local document = documents[bufnr]
  documents[bufnr] = nil
  if document and document.untitled then
    notify(document.untitled.client, 'textDocument/didClose', {
      textDocument = { uri = document.untitled.uri },
    })
  end
end

--- Forgets what was opened on a client that has ended.
---@param client_id integer
function M.client_ended(client_id)
  for _, document in pairs(documents) do
    if document.untitled and document.untitled.client == client_id then
      document.untitled = nil
    end
  end
end

return M
