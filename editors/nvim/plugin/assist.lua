if vim.g.loaded_assist or vim.fn.has('nvim-0.10') == 0 then
  return
end
vim.g.loaded_assist = true

vim.api.nvim_create_user_command('Assist', function(opts)
  require('assist.commands').run(opts)
end, {
  nargs = '*',
  range = true,
  bang = true,
  desc = 'Ask Assist about the buffer or the selection',
  complete = function(lead, line)
    return require('assist.commands').complete(lead, line)
  end,
})

for _, verb in ipairs({ 'ask', 'fix', 'explain', 'test', 'document', 'rewrite', 'build' }) do
  vim.keymap.set({ 'n', 'x' }, ('<Plug>(assist-%s)'):format(verb), function()
    require('assist.commands').plug(verb)
  end, { desc = 'Assist: ' .. verb })
end

for _, verb in ipairs({ 'cancel', 'pause', 'resume', 'tell', 'runs', 'undo', 'confirm', 'decline', 'answer' }) do
  vim.keymap.set('n', ('<Plug>(assist-%s)'):format(verb), function()
    require('assist.commands').plug(verb)
  end, { desc = 'Assist: ' .. verb })
end
