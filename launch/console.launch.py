from dragstream_ros.launch_description import launch_description


def generate_launch_description():
    return launch_description('console')
