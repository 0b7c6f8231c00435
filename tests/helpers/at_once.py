"""Run functions in processes of their own that start together."""

import multiprocessing

from xaicovid_mm.utils.errors import error_text

_FORK = multiprocessing.get_context('fork')


def at_once(*functions, seconds=120):
    """Pairs of process id and error text, empty where there was no error, in order."""
    start = _FORK.Barrier(len(functions))
    receivers, processes = [], []
    for function in functions:
        receiver, sender = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=_child, args=(function, start, sender))
        process.start()
        sender.close()
        receivers.append(receiver)
        processes.append(process)
    texts = [receiver.recv() if receiver.poll(seconds) else 'no answer' for receiver in receivers]
    for process in processes:
        process.kill()
        process.join()
    return [(process.pid, text) for process, text in zip(processes, texts, strict=True)]


def settled(ends):
    """Whether both went well, or one did and the other names it in one clear error."""
    errors = [(pid, text) for pid, text in ends if text]
    if len(errors) == 2:
        return False
    return all(
        f'process {other} on' in text and 'is at it: wait until' in text
        for pid, text in errors
        for other, _ in ends
        if other != pid
    )


def _child(function, start, sender):
    start.wait()
    try:
        function()
    except Exception as error:
        sender.send(error_text(error))
    else:
        sender.send('')
