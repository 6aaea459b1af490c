# `make demo` and `make test` are all a newcomer needs; the rest is for developers. The package is
# installed into .lib/ here, so that nothing of the user's changes.

export LC_ALL = C.UTF-8
export R_LIBS := $(CURDIR)/.lib$(if $(R_LIBS),:$(R_LIBS))
NEED = @sh tools/need.sh
INSTALL = +@$(MAKE) -s --no-print-directory .lib/cwmix/Meta/package.rds

.PHONY: help demo test install check sanitize fuzz coverage docs lint format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

demo: ## fit, draw and plot real data; pictures go to demo-output/
	$(NEED) Imports r-cran-png
	$(INSTALL)
	@Rscript --vanilla demo/cwmix.R demo-output

test: ## all tests with the installed package (make test FILTER=regex for some files)
	$(NEED) Imports Suggests
	$(INSTALL)
	@bash tools/test.sh $(if $(FILTER),'$(FILTER)')

install: ## the package into .lib/
	$(NEED) Imports
	$(INSTALL)

check: ## R CMD build and R CMD check --as-cran; any NOTE fails
	$(NEED) Imports Suggests pandoc qpdf tidy
	@Rscript --no-init-file tools/check.R

sanitize: ## the tests under the address and undefined-behaviour sanitizers (FILTER as for test)
	$(NEED) Imports Suggests
	@bash tools/sanitize.sh $(if $(FILTER),'$(FILTER)')

fuzz: ## edited densities through every verb (make fuzz EDITS=200 SEED=1 SECONDS=600)
	$(NEED) Imports Suggests
	$(INSTALL)
	@bash -c 'ulimit -v 8000000; exec Rscript --vanilla tools/fuzz.R $(if $(EDITS),--edits=$(EDITS)) \
	  $(if $(SEED),--seed=$(SEED)) $(if $(SECONDS),--seconds=$(SECONDS))'

coverage: ## lines of R and C that the tests run
	$(NEED) Imports Suggests r-cran-covr
	@NOT_CRAN=true Rscript --vanilla -e 'print(covr::package_coverage(), group = "filename")'

docs: ## man/ and NAMESPACE from the comments in R/
	$(NEED) Imports r-cran-roxygen2
	@Rscript --vanilla -e 'suppressMessages(roxygen2::roxygenise(load_code = "source"))'

lint: ## lintr for R, clang-format for C, the storeys of R/
	$(NEED) Imports r-cran-lintr clang-format
	$(INSTALL)
	@Rscript --vanilla tools/lint.R
	@clang-format --dry-run --Werror $(C_FILES)
	@Rscript --vanilla tools/storeys.R

format: ## lay out the C by .clang-format
	$(NEED) clang-format
	@clang-format -i $(C_FILES)

clean: ## remove what the targets made
	rm -rf .lib demo-output src/*.o src/*.so

C_FILES = $(wildcard src/*.[ch] src/*/*.[ch])
SOURCES = $(shell find DESCRIPTION NAMESPACE R src man $(wildcard data inst) \
  -not -name '*.o' -not -name '*.so')

.lib/cwmix/Meta/package.rds: $(SOURCES)
	@bash tools/install.sh .lib
