# For builds against the ROS 2 wheels only: hand this file in as CMAKE_PROJECT_dragstream_ros_INCLUDE, so that
# CMakeLists.txt stays plain ROS 2. The wheels' exported targets name include folders of the machine that built
# them, and CMake refuses missing ones: they are dropped at the end of configuring.
function(_forget_missing_include_folders)
  get_property(targets DIRECTORY "${CMAKE_SOURCE_DIR}" PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(folders)
      set(kept "")
      foreach(folder IN LISTS folders)
        if(NOT IS_ABSOLUTE "${folder}" OR EXISTS "${folder}")
          list(APPEND kept "${folder}")
        endif()
      endforeach()
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL _forget_missing_include_folders)
