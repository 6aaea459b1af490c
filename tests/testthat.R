library(testthat)
library(cwmix)

test_check("cwmix")
