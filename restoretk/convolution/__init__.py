"""H and its adjoint: what both meanings of "deconvolution" rest on."""
