# Evaluates plotting code on a throw-away device; what it returns, invisibly or not.
on_device <- function(code) {
  path <- withr_free_path()
  grDevices::png(path, 700, 700)
  on.exit({
    grDevices::dev.off()
    unlink(path)
  })
  code
}
