# Writes a source file that defines the std::string_view `name`, declared in `header`, as the text of `file`, and sets
# `result` to its path. A change of the text configures again.
function(embed_text result file name header)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  set(source ${PROJECT_BINARY_DIR}/embedded/${name}.cc)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
       "#include \"${header}\"\n\nconst std::string_view headroom::${name} = R\"text(${text})text\";\n")
  set(${result} ${source} PARENT_SCOPE)
endfunction()
